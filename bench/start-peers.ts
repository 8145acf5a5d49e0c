import { z } from 'zod'
import type { Defer } from '../demo/remit-server.ts'
import { APP, type Estate, registerEstate } from './estate.ts'
import { generateBenchKey } from './load/signer.ts'
import { startRemitPeer } from './peers/remit.ts'
import { startPeer } from './peers/start-peer.ts'
import { wake } from './run-round.ts'
import type { Peers } from './workloads.ts'

/** Starts every peer, and registers at Remit what the workloads need. */
export async function startPeers(dir: string, defer: Defer): Promise<{ peers: Peers; estate: Estate }> {
  const remit = await startRemitPeer('remit', dir, defer)
  const appKey = generateBenchKey()
  const client = { client_id: APP, jwk: { ...appKey.publicJwk, kid: appKey.kid } }
  const keysSchema = z.object({ keys: z.array(z.record(z.string(), z.string())) })
  const { keys } = keysSchema.parse(await (await fetch(remit.metadata.jwks_uri)).json())
  const bare = await startPeer('bare', 'bare.ts', defer, () => ({ ...client, keys }))
  const oidc = await startPeer('oidc_provider', 'oidc-provider.ts', defer, () => client)
  const api = await startPeer('verifying_api', 'verifying-api.ts', defer, () => ({ issuer: remit.issuer }))
  const peers = { remit, bare, oidc, api }
  // Undone first: who is stopped could not end in order.
  defer(async () => Object.values(peers).forEach(wake))
  return { peers, estate: await registerEstate(remit, appKey, api.origin) }
}
