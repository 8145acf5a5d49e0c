import { API, API_OF_BASIC, registerEstate } from '../../bench/estate.ts'
import type { Batch } from '../../bench/load/batch.ts'
import { rawRequest } from '../../bench/load/batch.ts'
import { closedLoop, openConnections } from '../../bench/load/closed-loop.ts'
import { mint } from '../../bench/load/mint.ts'
import { arrivals, openLoop } from '../../bench/load/open-loop.ts'
import { generateBenchKey } from '../../bench/load/signer.ts'
import { agentGrants, clientCredentials, introspectionByBasic, TOKEN_MARK } from '../../bench/load/token-requests.ts'
import { startRemitPeer } from '../../bench/peers/remit.ts'
import { quantile } from '../../bench/rounds.ts'
import type { FaultPromise } from '../promise.ts'

const MINTS_A_SECOND = 400
const P99_MS = 60
const INTROSPECTIONS_A_SECOND = 1_500
const JWKS_A_SECOND = 5_000
const WARM_UP = 500
/** That are introspected, in turn. */
const TOKENS = 32

/** R16: what one server does on this machine, its database and this load generator beside it. */
export const throughput: FaultPromise = {
  ids: ['R16'],
  title: 'mints, introspections and key sets a second, and the latency of mints at the promised rate',
  run: async ({ dir, defer, short }) => {
    const seconds = short ? 4 : 15
    const remit = await startRemitPeer('remit', dir, defer)
    const appKey = generateBenchKey()
    const { agents, introspectors } = await registerEstate(remit, appKey, `${API}/2`)
    const { issuer, token_endpoint, introspection_endpoint, jwks_uri } = remit.metadata
    const connections = await openConnections(remit.origin)
    defer(async () => {
      for (const { close } of connections) close()
    })
    const sign = clientCredentials(issuer, token_endpoint, appKey)
    const mints = (count: number): Batch => ({ requests: Array.from({ length: count }, sign), mark: TOKEN_MARK })
    const perSecond = async (batch: Batch) => {
      const { elapsed } = await closedLoop(connections, batch)
      return (batch.requests.length * 1_000) / elapsed
    }
    await perSecond(mints(WARM_UP))
    const minted = await perSecond(mints(MINTS_A_SECOND * seconds))
    const planned = mints(MINTS_A_SECOND * seconds)
    const { latencies } = await openLoop(connections, planned, arrivals(planned.requests.length, MINTS_A_SECOND))
    const p99 = quantile([...latencies], 0.99)
    const introspect = introspectionByBasic(introspection_endpoint, introspectors.basic)
    const grant = agentGrants(remit.metadata, appKey)(agents.solo)
    const forBasic = Array.from({ length: TOKENS }, () => grant({ audience: API_OF_BASIC }))
    const tokens = await mint(remit.origin, forBasic)
    const asked = Array.from({ length: INTROSPECTIONS_A_SECOND * seconds }, (_, n) =>
      introspect(tokens[n % TOKENS] ?? ''),
    )
    const introspected = await perSecond({ requests: asked, mark: '"active":true' })
    const jwks = rawRequest('GET', String(jwks_uri), {})
    const served = await perSecond({
      requests: Array.from({ length: JWKS_A_SECOND * seconds }, () => jwks),
      mark: '"keys":[',
    })
    return [
      {
        id: 'R16',
        figure: `${Math.round(minted)} mints/s, p99 ${p99.toFixed(1)} ms at ${MINTS_A_SECOND}/s; ${Math.round(introspected)} introspections/s; ${Math.round(served)} JWKS/s`,
        ok:
          minted >= MINTS_A_SECOND &&
          p99 < P99_MS &&
          introspected >= INTROSPECTIONS_A_SECOND &&
          served >= JWKS_A_SECOND,
      },
    ]
  },
}
