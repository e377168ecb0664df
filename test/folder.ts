/** A folder for what the processes of the tests write, which vitest may end by a signal: gone with the last of them. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

export default (): () => void => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-tests-"))
  process.env["TENEMENT_TEST_FOLDER"] = folder
  return () => fs.rmSync(folder, { recursive: true, force: true })
}
