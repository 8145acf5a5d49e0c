/** Somebody that is measured; its processes, server and database apart, as they are at this moment. */
export type Peer = {
  readonly name: string
  readonly origin: string
  readonly processes: () => { readonly server: readonly number[]; readonly database: readonly number[] }
}
