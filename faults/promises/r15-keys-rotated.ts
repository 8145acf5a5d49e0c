import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../demo/remit-server.ts'
import { signDpopProof } from '../../src/protocol/sign.ts'
import { epochSeconds } from '../../src/protocol/time.ts'
import { createVerifier } from '../../src/verifier/index.ts'
import { expect } from '../party.ts'
import type { FaultPromise } from '../promise.ts'
import { FaultProxy } from '../proxy.ts'
import { API, startWorld } from '../world.ts'

const VERIFIERS = 3
const LEAD_S = 40
const EVERY_S = 10

/** R15: keys change again and again, and no API that keeps the key set for a while refuses a token for it. */
export const keysRotated: FaultPromise = {
  ids: ['R15'],
  title: 'a new signing key every ten seconds, published 40 s ahead, before three verifiers with their caches',
  run: async ({ dir, defer, short, say }) => {
    const seconds = short ? 60 : 300
    const issuerPort = await freePort()
    const world = await startWorld(dir, defer, { nodes: 2, issuerPort })
    const { app, solo, anna, site, nodes } = world
    const [first] = nodes
    if (!first) throw new Error('There is no node.')
    const front = await FaultProxy.start(first.settings.port, issuerPort)
    defer(() => front.stop())
    const url = `${API}/thing`
    const verifiers = Array.from({ length: VERIFIERS }, () => createVerifier({ issuer: site.issuer, audience: API }))
    const kids = new Set<string>()
    let [verified, failed, rotations] = [0, 0, 0]
    const began = performance.now()
    const elapsed = () => (performance.now() - began) / 1_000
    for (let n = 0; elapsed() < seconds; n += 1) {
      if (elapsed() >= rotations * EVERY_S) {
        expect(await anna.administer(first, '/keys/rotate', { alg: 'ES256', publish_lead: LEAD_S }), 201)
        rotations += 1
      }
      const node = nodes[n % nodes.length] ?? first
      const token = String(expect(await app.mint(node, solo, API), 200).access_token)
      for (const verifier of verifiers) {
        const claims = { htm: 'GET', htu: url, iat: epochSeconds(new Date()), jti: randomUUID(), access_token: token }
        const dpop = await signDpopProof(solo.key, claims)
        try {
          kids.add((await verifier.verify({ authorization: `DPoP ${token}`, dpop, method: 'GET', url })).kid)
          verified += 1
        } catch (error) {
          failed += 1
          say(error instanceof Error ? error.message : String(error))
        }
      }
      await sleep(100)
    }
    const due = Math.floor((seconds - LEAD_S) / EVERY_S)
    return [
      {
        id: 'R15',
        figure: `${failed} of ${failed + verified} verifications failed; ${kids.size} keys signed in ${seconds} s${short ? ' (short: the full form takes 300 s)' : ''}`,
        ok: failed === 0 && kids.size >= due,
      },
    ]
  },
}
