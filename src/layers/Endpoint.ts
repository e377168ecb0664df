/**
 * Where an instance is reached.
 *
 * @since 0.1.0
 */

/**
 * `publicPath` is what others connect to; `privatePath` is what this incarnation was told to listen on, behind the
 * public one. With a `port`, probes use TCP on loopback.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly publicPath: string
  readonly privatePath: string
  readonly port: number | null
}
