import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import { freePort } from '../../demo/remit-server.ts'
import { signDpopProof } from '../../src/protocol/sign.ts'
import { epochSeconds } from '../../src/protocol/time.ts'
import { createVerifier } from '../../src/verifier/index.ts'
import { ask, type Question } from '../ask.ts'
import { expect } from '../party.ts'
import type { FaultPromise } from '../promise.ts'
import { FaultProxy } from '../proxy.ts'
import { API, addAgent, makeNode, startWorld, type World } from '../world.ts'

const EACH = 10
const FRESH_MS = 50_000
const COMMAND = join(import.meta.dirname, '../../bin/remit.js')

type Minted = { readonly token: string; readonly question: Question; readonly signed: number }

/** R18: a backup brings back what counted, keeps dead what was dead, and makes nothing fresh that was used. */
export const restored: FaultPromise = {
  ids: ['R18'],
  title: 'remit backup, more use and revocation, remit restore into an empty database',
  run: async stage => {
    const issuerPort = await freePort()
    const world = await startWorld(stage.dir, stage.defer, { issuerPort })
    const { anna, app, solo, site, postgres } = world
    const [node] = world.nodes
    if (!node) throw new Error('There is no node.')
    const [gone, halted] = [await addAgent(node, app, 'gone'), await addAgent(node, app, 'halted')]
    const revoked = await mintSome(world)
    for (const { token } of revoked) await revokeToken(world, token)
    const reason = 'a fault is tested'
    expect(await anna.administer(node, '/revocations', { kind: 'agent', id: 'app/gone', reason }), 201)
    expect(await anna.administer(node, '/agents/app/halted/suspend', { reason }), 200)
    const before = await mintSome(world)
    const file = join(stage.dir, 'backup.gz')
    await remit(world, postgres.url(), ['backup', file])
    const after = await mintSome(world)
    await node.stop()
    await postgres.query('create database restored')
    await remit(world, postgres.url(postgres.port, 'restored'), ['restore', file])
    const second = await makeNode(site, node.settings.dataDir, postgres.url(postgres.port, 'restored'))
    stage.defer(() => second.kill())
    await second.start()
    const front = await FaultProxy.start(second.settings.port, issuerPort)
    stage.defer(() => front.stop())

    const used = [...revoked, ...before, ...after]
    const replays = await Promise.all(used.map(({ question }) => ask(second.settings.port, question)))
    const late = used.filter(({ signed }) => performance.now() - signed > FRESH_MS).length
    const fresh = replays.filter(({ status }) => status === 200).length
    const answers = await Promise.all(revoked.map(({ token }) => app.introspect(second, token)))
    const undead = answers.filter(({ body }) => body.active !== false).length
    const stopped = await Promise.all([gone, halted].map(agent => app.mint(second, agent, API)))
    const minting = stopped.filter(({ status }) => status < 400 || status >= 500).length
    const verified = await countVerified(world, before)
    const anew = await app.mint(second, solo, API)
    return [
      {
        id: 'R18',
        figure: `${verified} of ${before.length} old tokens verify, ${undead} of ${revoked.length} revoked ones active, ${minting} of ${stopped.length} stopped agents mint, ${fresh} of ${used.length} used requests taken again (${late} too late to count); a new one: ${anew.status}`,
        ok: verified === before.length && undead + minting + fresh + late === 0 && anew.status === 200,
      },
    ]
  },
}

async function mintSome({ app, solo, nodes: [node] }: World): Promise<readonly Minted[]> {
  const minted: Minted[] = []
  for (let n = 0; node && n < EACH; n += 1) {
    const question = await app.signMint(solo, API)
    const signed = performance.now()
    const answer = expect(await ask(node.settings.port, question), 200)
    minted.push({ question, signed, token: String(answer.access_token) })
  }
  return minted
}

async function revokeToken({ anna, nodes: [node] }: World, token: string): Promise<void> {
  if (!node) return
  const body = { kind: 'token', id: decodeJwt(token).jti, reason: 'a fault is tested' }
  expect(await anna.administer(node, '/revocations', body), 201)
}

/** As a resource would, with the keys that the restored server publishes. */
async function countVerified({ site, solo }: World, minted: readonly Minted[]): Promise<number> {
  const verifier = createVerifier({ issuer: site.issuer, audience: API })
  const url = `${API}/thing`
  let verified = 0
  for (const { token } of minted) {
    const claims = { htm: 'GET', htu: url, iat: epochSeconds(new Date()), jti: randomUUID(), access_token: token }
    const dpop = await signDpopProof(solo.key, claims)
    await verifier.verify({ authorization: `DPoP ${token}`, dpop, method: 'GET', url })
    verified += 1
  }
  return verified
}

async function remit({ site, nodes: [node] }: World, DATABASE_URL: string, args: readonly string[]): Promise<void> {
  const { dataDir = '' } = node?.settings ?? {}
  const env = { PATH: process.env.PATH, DATABASE_URL, REMIT_DATA_DIR: dataDir, REMIT_ISSUER: site.issuer }
  await promisify(execFile)(process.execPath, [COMMAND, ...args], { cwd: dataDir, env })
}
