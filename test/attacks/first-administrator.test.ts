import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { prepareBootstrapToken } from '../../src/server/registry/bootstrap.ts'
import { caller } from '../audit/given.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { exchange } from './attempt.ts'
import { startNode } from './node.ts'

const ROUNDS = 8
const LAST = 'This is the last client with admin:clients; create another administrator first.'
/** Requests at each node. */
const WIDTH = 6

const app = await startTestApp()
const { ctx, clock } = app
const file = ctx.config.bootstrapTokenFile
const node = await startNode({ app })
const url = new URL(app.adminUrl)
const ports = [Number(url.port), node.adminPort]
const key = await generateKey()
const BODY = JSON.stringify({ client_name: 'Root', jwks: { keys: [key.jwk] }, owner: 'user:local:root' })

function bootstrapAt(port: number, token: string) {
  const headers = ['Host', url.host, 'Content-Type', 'application/json', 'Authorization', `Bearer ${token}`]
  return exchange(port, '/admin/v1/bootstrap', headers, BODY)
}

/** As if nobody ever administered this server. */
async function locked(): Promise<string> {
  for (const table of ['bootstrap', 'audit_event', 'client'] as const) await ctx.db.deleteFrom(table).execute()
  // Who lost the round before has guessed at a token that was gone: that is over after a minute.
  clock.advance(121)
  await prepareBootstrapToken(ctx)
  return (await readFile(file, 'utf8')).trim()
}

test('[attack 129] of requests at two nodes at once exactly one makes the first administrator (section 11)', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const token = await locked()
    const answers = await Promise.all(
      Array.from({ length: WIDTH }, () => ports.map(port => bootstrapAt(port, token))).flat(),
    )
    const won = answers.filter(({ status }) => status === 201)
    assert.equal(won.length, 1)
    // Who comes when the file is gone already has a token that is none.
    const lost = new Set(
      answers.filter(({ status }) => status !== 201).map(({ status, body }) => `${status} ${body.code}`),
    )
    for (const answer of lost) assert.match(answer, /^(409 conflict|401 unauthorized)$/)
    const clients = await ctx.db.selectFrom('client').select('client_id').execute()
    assert.deepEqual(clients, [{ client_id: String(won[0]?.body.client_id) }])
    const rows = await ctx.db.selectFrom('audit_event').select(['action', 'client_id']).execute()
    const bootstraps = rows.filter(({ action }) => action === 'bootstrap')
    assert.deepEqual(bootstraps, [{ action: 'bootstrap', client_id: String(won[0]?.body.client_id) }])
  }
})

test('[attack 129] the last administrator is neither deleted, revoked nor stripped over HTTP, and the file left lying opens nothing (section 11)', async () => {
  const token = await locked()
  const client_id = String((await bootstrapAt(Number(url.port), token)).body.client_id)
  const call = caller(app, { client_id, key, dpopKey: await generateKey() }, 'admin')
  const path = `/admin/v1/clients/${client_id}`
  const attempts = [
    ['DELETE', `${path}?reason=gone`],
    ['POST', '/admin/v1/revocations', { kind: 'client', id: client_id, reason: 'gone' }],
    ['PATCH', path, { access: [] }],
  ] as const
  for (const [method, target, body] of attempts) {
    const answer = await call(method, target, body)
    assert.deepEqual(
      [answer.status, answer.body.code, answer.body.detail],
      [409, 'conflict', LAST],
      `${method} ${target}`,
    )
  }
  const { status } = await ctx.db.selectFrom('client').select('status').executeTakeFirstOrThrow()
  assert.equal(status, 'active')
  await writeFile(file, token, { mode: 0o600 })
  for (const port of ports) {
    const again = await bootstrapAt(port, token)
    assert.deepEqual([again.status, again.body.code], [409, 'conflict'])
  }
})
