import type { Defer } from '../demo/remit-server.ts'
import { type Tap, tapInto } from './network.ts'
import { type Plain, startPlain } from './plain/world.ts'
import { type Remit, startOffice } from './remit/office.ts'

/** Both worlds, and somebody on the way to each of their servers. */
export type World = {
  readonly plain: Plain
  readonly remit: Remit
  readonly taps: { readonly plainApi: Tap; readonly plainServer: Tap; readonly api: Tap; readonly server: Tap }
}

/** Starts everything on loopback ports of this machine, until the end. */
export async function startWorld(dir: string, defer: Defer): Promise<World> {
  const [plain, remit] = await Promise.all([startPlain(defer), startOffice(dir, defer)])
  const tap = (target: string) => tapInto(target, defer)
  const [plainApi, plainServer] = await Promise.all([tap(plain.api), tap(plain.server.issuer)])
  const [api, server] = await Promise.all([tap(remit.api.url), tap(remit.metadata.issuer)])
  return { plain, remit, taps: { plainApi, plainServer, api, server } }
}
