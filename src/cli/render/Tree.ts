/**
 * The supervision tree.
 *
 * @since 0.1.0
 */
import type { TreeNode } from "../../domain/Views.ts"
import * as Palette from "./Palette.ts"

const describe = (node: TreeNode, palette: Palette.Palette): string => {
  const paint = node.kind === "actor" && Palette.isState(node.state)
    ? Palette.ofState(palette, node.state)
    : palette.faint
  const name = node.kind === "supervisor" ? palette.strong(node.name) : node.name
  return [name, paint(node.state), palette.faint(node.detail)].filter((part) => part !== "").join("  ")
}

/**
 * One line for each node, children in their order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lines = (root: TreeNode, palette: Palette.Palette): ReadonlyArray<string> => {
  const result: Array<string> = [describe(root, palette)]
  const below = (node: TreeNode, indent: string): void => {
    for (const [index, child] of node.children.entries()) {
      const last = index === node.children.length - 1
      result.push(palette.faint(`${indent}${last ? "└── " : "├── "}`) + describe(child, palette))
      below(child, `${indent}${last ? "    " : "│   "}`)
    }
  }
  below(root, "")
  return result
}
