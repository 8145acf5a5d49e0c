/** The server must not start (or migrate) like this: one sentence for the operator, with the mend, and no stack. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused'
}
