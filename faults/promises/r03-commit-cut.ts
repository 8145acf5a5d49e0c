import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { ask, type Reply } from '../ask.ts'
import { expect } from '../party.ts'
import type { FaultPromise } from '../promise.ts'
import { API, addAgent, newAgent, registration, startWorld, type World } from '../world.ts'

const CUT_WITHIN_MS = 10_000

/** R3 where it is hardest: Postgres has committed, and the connection dies before it can say so. */
export const commitCut: FaultPromise = {
  ids: ['R3-commit'],
  title: 'the connection is cut between COMMIT and its answer',
  run: async stage => {
    const rounds = stage.short ? 10 : 100
    const world = await startWorld(stage.dir, stage.defer)
    const wrong: string[] = []
    for (let round = 0; round < rounds; round += 1) {
      wrong.push(...(await mintCut(world, `m${round}`)))
      wrong.push(...(await registrationCut(world, `r${round}`)))
      wrong.push(...(await revocationCut(world, `v${round}`)))
    }
    for (const line of wrong.slice(0, 5)) stage.say(line)
    return [
      {
        id: 'R3-commit',
        figure: `${wrong.length} wrong answers in ${rounds * 3} commits whose answer was cut off (mint, registration, revocation)`,
        ok: wrong.length === 0,
      },
    ]
  },
}

/** Nobody has the token that was committed; its proof is used, and a new one mints. */
async function mintCut(world: World, name: string): Promise<readonly string[]> {
  const {
    app,
    nodes: [node],
  } = world
  if (!node) throw new Error('There is no node.')
  const agent = await addAgent(node, app, name)
  const question = await app.signMint(agent, API)
  const cut = await whileCut(world, name, () => ask(node.settings.port, question))
  await node.untilReady()
  const again = await ask(node.settings.port, question)
  const anew = await app.mint(node, agent, API)
  return [
    ...differs(`${name}: a mint whose commit is unknown`, cut, 503),
    ...(again.status >= 400 && again.status < 500
      ? []
      : [`${name}: the same proof again was answered ${again.status}`]),
    ...differs(`${name}: a new proof`, anew, 200),
  ]
}

/** The key brings the first result, and there is one version. */
async function registrationCut(world: World, name: string): Promise<readonly string[]> {
  const {
    app,
    otto,
    nodes: [node],
  } = world
  if (!node) throw new Error('There is no node.')
  const agent = await newAgent(name)
  const register = () => app.register(node, '/intent/register/agent', registration(app, agent), `register-${name}`)
  const cut = await whileCut(world, name, register)
  await node.untilReady()
  const again = await register()
  const detail = expect(await otto.administer(node, `/agents/${app.client_id}/${name}`), 200)
  const versions = Array.isArray(detail.registrations) ? detail.registrations.length : 0
  return [
    ...differs(`${name}: a registration whose commit is unknown`, cut, 503),
    ...differs(`${name}: the same key`, again, 200),
    ...(again.headers['idempotency-replayed'] === 'true' ? [] : [`${name}: the first result was not found`]),
    ...(versions === 1 ? [] : [`${name}: ${versions} versions`]),
  ]
}

/** It counts although its answer was lost, and the key brings the answer. */
async function revocationCut(world: World, name: string): Promise<readonly string[]> {
  const {
    app,
    anna,
    solo,
    nodes: [node],
  } = world
  if (!node) throw new Error('There is no node.')
  const token = String(expect(await app.mint(node, solo, API), 200).access_token)
  const id = decodeJwt(token).jti ?? ''
  const body = { kind: 'token', id, reason: 'a fault is tested' }
  const revoke = () => anna.administer(node, '/revocations', body, `revoke-${name}`)
  const cut = await whileCut(world, id, revoke)
  await node.untilReady()
  const known = expect(await app.introspect(node, token), 200)
  const again = await revoke()
  return [
    ...differs(`${name}: a revocation whose commit is unknown`, cut, 503),
    ...(known.active === false ? [] : [`${name}: the token is active after the revocation was committed`]),
    ...differs(`${name}: the same key`, again, 201),
    ...(again.headers['idempotency-replayed'] === 'true' ? [] : [`${name}: the first result was not found`]),
  ]
}

/** Throws where the connection was not cut: then nothing was tried. */
async function whileCut({ proxy }: World, marker: string, send: () => Promise<Reply>): Promise<Reply> {
  const sprung = proxy.cutAfterCommit(marker).then(() => true)
  const answer = await send()
  const late = sleep(CUT_WITHIN_MS, false, { ref: false })
  if (await Promise.race([sprung, late])) return answer
  throw new Error(`No commit that names ${marker} was seen; the answer was ${answer.status}.`)
}

function differs(what: string, { status, body, failed }: Reply, expected: number): readonly string[] {
  return status === expected
    ? []
    : [`${what} was answered ${failed ?? status} ${JSON.stringify(body)}, not ${expected}`]
}
