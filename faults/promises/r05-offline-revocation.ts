import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { freePort } from '../../demo/remit-server.ts'
import { signDpopProof } from '../../src/protocol/sign.ts'
import { epochSeconds, TOKEN_CLOCK_SKEW } from '../../src/protocol/time.ts'
import { createVerifier } from '../../src/verifier/index.ts'
import { expect } from '../party.ts'
import type { FaultPromise } from '../promise.ts'
import { FaultProxy } from '../proxy.ts'
import { addApp, newAgent, registration, startWorld } from '../world.ts'

const SHORT_LIVED = 'https://short.faults.example'
const LIFETIME_S = 10
const EVERY_MS = 100
const BEGIN_MS = 50

/** R5 until there is a feed: a verifier that never asks takes a revoked token until its expiry, and no longer. */
export const offlineRevocation: FaultPromise = {
  ids: ['R5'],
  title: 'how long a verifier without a feed takes tokens that were revoked, and what introspection says',
  run: async ({ dir, defer, short }) => {
    const rounds = short ? 10 : 200
    const issuerPort = await freePort()
    const world = await startWorld(dir, defer, { issuerPort })
    const { anna, site } = world
    const [node] = world.nodes
    if (!node) throw new Error('There is no node.')
    const front = await FaultProxy.start(node.settings.port, issuerPort)
    defer(() => front.stop())
    const resource = { resource: SHORT_LIVED, scopes: [{ name: 'read' }], max_token_lifetime: LIFETIME_S }
    expect(await anna.administer(node, '/resources', resource), 201)
    const own = { resource: site.issuer, scope: 'generate:intent-token register:intent register:workflow' }
    const app = await addApp(node, anna, 'short', {}, [own, { resource: SHORT_LIVED, scope: 'read' }])
    const agent = await newAgent('brief')
    expect(await app.register(node, '/intent/register/agent', registration(app, agent, SHORT_LIVED)), 200)
    const verifier = createVerifier({ issuer: site.issuer, audience: SHORT_LIVED })
    const url = `${SHORT_LIVED}/thing`

    const accepts = async (token: string) => {
      const claims = { htm: 'GET', htu: url, iat: epochSeconds(new Date()), jti: randomUUID(), access_token: token }
      const dpop = await signDpopProof(agent.key, claims)
      return await verifier.verify({ authorization: `DPoP ${token}`, dpop, method: 'GET', url }).then(
        () => true,
        () => false,
      )
    }
    /** @returns seconds from the answer to the revocation until the last call that was taken */
    const revokeOne = async () => {
      const token = String(expect(await app.mint(node, agent, SHORT_LIVED), 200).access_token)
      if (!(await accepts(token))) throw new Error('The verifier does not take a token that is good.')
      const body = { kind: 'token', id: decodeJwt(token).jti, reason: 'a fault is tested' }
      expect(await anna.administer(node, '/revocations', body), 201)
      const revoked = performance.now()
      const active = expect(await app.introspect(node, token), 200).active === true
      let last = 0
      for (const until = revoked + (LIFETIME_S + 2 * TOKEN_CLOCK_SKEW) * 1000; performance.now() < until; ) {
        if (await accepts(token)) last = performance.now() - revoked
        await sleep(EVERY_MS)
      }
      return { last: last / 1000, active }
    }
    // All at once are more than one client may have in work.
    const begun = Array.from({ length: rounds }, (_, n) => sleep(n * BEGIN_MS).then(revokeOne))
    const seen = await Promise.all(begun)
    const longest = Math.max(...seen.map(({ last }) => last))
    const active = seen.filter(one => one.active).length
    return [
      {
        id: 'R5',
        figure: `no feed yet: taken offline for at most ${longest.toFixed(1)} s after the revocation (lifetime ${LIFETIME_S} s, skew ${TOKEN_CLOCK_SKEW} s); ${active} of ${rounds} active at introspection`,
        // Whole seconds in the token, and one poll.
        ok: active === 0 && longest > 0 && longest <= LIFETIME_S + TOKEN_CLOCK_SKEW + 1,
      },
    ]
  },
}
