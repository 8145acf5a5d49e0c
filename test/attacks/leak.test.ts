import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePorts } from '../support/free-ports.ts'
import { loseStorage } from '../support/lose-storage.ts'
import {
  type Answer,
  type Attempt,
  agentGrant,
  clientCredentials,
  exchange,
  proofOf,
  requestOf,
  send,
  tokenRequest,
} from './attempt.ts'
import { givenAgent, givenClient, givenWorld, tokenHash } from './given.ts'
import { startServerProcess } from './server-process.ts'

const CANARY = 'canary-7f3a9c'
const JSON_TYPE = ['Content-Type', 'application/json']

test('[attack 111] no secret of a request is in any log line, error, audit row or metric', async () => {
  const world = await givenWorld()
  const { ctx, app, client, solo } = world
  const planted = new Set<string>()
  const bodies: string[] = []

  const issued = async (attempt: Attempt): Promise<string> => {
    plantFrom(attempt, planted)
    const { body } = await send(world, attempt)
    const token = String(body.access_token)
    planted.add(token)
    return token
  }
  const tried = async (attempt: Attempt) => {
    plantFrom(attempt, planted)
    keep(await send(world, attempt))
  }
  const keep = (answer: Answer) => {
    bodies.push(answer.text, JSON.stringify(answer.headers))
  }

  const shared = await givenClient(ctx, undefined, { token_endpoint_auth_method: 'client_secret_post' })
  planted.add(String(shared.client_secret))
  const token = await issued(clientCredentials(world))
  await issued(clientCredentials(world, shared))

  // Every kind of refusal, with something to leak in each place.
  await tried(clientCredentials(world, { ...shared, client_secret: `${CANARY}-secret` }))
  const basic = Buffer.from(`${client.client_id}:${CANARY}-basic`).toString('base64')
  await tried({ ...clientCredentials(world), assertion: undefined, headers: { Authorization: `Basic ${basic}` } })
  for (const name of ['scope', 'resource', 'client_assertion', 'client_id', 'grant_type', 'code', 'subject_token']) {
    const attempt = clientCredentials(world)
    attempt.params = { ...attempt.params, [name]: `${CANARY}-${name}` }
    await tried(attempt)
  }
  for (const claim of ['htu', 'htm', 'jti', 'iat', 'nonce', 'exp']) {
    const attempt = clientCredentials(world)
    Object.assign(attempt.proof?.payload ?? {}, { [claim]: `${CANARY}-${claim}` })
    await tried(attempt)
  }
  // An agent_id is no secret: the trail says which was asked for.
  for (const name of ['computed_checksum', 'workflow_id', 'workflow_step', 'delegation_context']) {
    const attempt = agentGrant(world, '/intent/token', solo)
    attempt.params = { ...attempt.params, [name]: `${CANARY}-${name}` }
    await tried(attempt)
  }
  const cut = clientCredentials(world)
  await tried({ ...cut, body: `{"${CANARY}":` })
  await tried({ ...agentGrant(world, '/intent/token', solo), body: `{"${CANARY}-json":"${CANARY}-json` })
  await tried({ ...clientCredentials(world), path: `/oauth/token?client_secret=${CANARY}-query`, method: 'GET' })
  await tried({ ...clientCredentials(world), path: `/nothing/${CANARY}-path` })
  await tried({ ...clientCredentials(world), headers: { Cookie: `${CANARY}-cookie`, 'User-Agent': `${CANARY}-agent` } })
  const bearer = { ...agentGrant(world, '/intent/token', solo), assertion: undefined }
  await tried({ ...bearer, headers: { Authorization: `Bearer ${CANARY}-bearer` } })
  await tried({ ...bearer, headers: { Authorization: `Bearer ${token}` } })
  await tried(tokenRequest(world, '/oauth/introspect', shared, token))
  await tried(tokenRequest(world, '/oauth/revoke', shared, token))
  await tried(tokenRequest(world, '/oauth/revoke', client, token))

  // Prompts and tools: registered, registered again, refused.
  await givenAgent(ctx, client, 'leaky', { prompt: `${CANARY}-prompt` })
  const access = await issued(issuerToken('register:intent'))
  for (const components of [
    { agent_id: 'leaky', prompt_template: `${CANARY}-prompt`, tools: [] },
    { agent_id: 'leaky', prompt_template: `${CANARY}-prompt`, tools: [], [`${CANARY}-member`]: `${CANARY}-member` },
    { agent_id: 'leaky', prompt_template: [`${CANARY}-prompt`], tools: [{ name: `${CANARY}-tool` }] },
  ]) {
    const path = '/intent/register/agent'
    const proof = proofOf(world, client.dpopKey, path)
    Object.assign(proof.payload, { ath: tokenHash(access) })
    const attempt = { path, client, params: {}, headers: { Authorization: `DPoP ${access}` }, proof }
    await tried({ ...attempt, body: JSON.stringify({ app_id: client.client_id, agent_components: components }) })
  }

  // The one-time token.
  const admin = new URL(app.adminUrl)
  const host = ['Host', admin.host]
  for (const body of ['{}', JSON.stringify({ client_name: 'x', jwks: { keys: [] }, owner: 'user:local:x' })]) {
    const headers = [...host, ...JSON_TYPE, 'Authorization', `Bearer ${CANARY}-bootstrap`]
    keep(await exchange(Number(admin.port), '/admin/v1/bootstrap', headers, body))
  }

  await ctx.unauthenticated.flush(ctx)
  const audit = await ctx.db.selectFrom('audit_event').selectAll().execute()
  await loseStorage(ctx)
  await tried(clientCredentials(world, shared))
  await tried(tokenRequest(world, '/oauth/introspect', shared, token))
  const metrics = await exchange(Number(admin.port), '/metrics', host, '', 'GET')
  assert.equal(metrics.status, 200)
  assert.ok(audit.length > 10 && app.log.length > 30 && planted.size > 50)

  const places = {
    log: app.log.join('\n'),
    answers: bodies.join('\n'),
    audit: JSON.stringify(audit),
    metrics: metrics.text,
  }
  for (const [place, text] of Object.entries(places)) {
    assert.equal(text.includes(CANARY), false, `a canary is in ${place}: ${around(text, CANARY)}`)
    for (const secret of planted) assert.equal(text.includes(secret), false, `${secret} is in ${place}`)
  }

  function issuerToken(scope: string): Attempt {
    const attempt = clientCredentials(world)
    attempt.params = { ...attempt.params, scope, resource: app.issuer }
    return attempt
  }
})

test('[attack 111] neither the key-encryption key nor the password of the database is in what a start says', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'remit-leak-'))
  const [port = 0, adminPort = 0] = await freePorts()
  const kek = join(directory, 'kek')
  await writeFile(kek, `${CANARY}-kek\n`, { mode: 0o600 })
  const env = {
    REMIT_PORT: String(port),
    REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    REMIT_DATA_DIR: directory,
    REMIT_KEK_FILE: kek,
    REMIT_LOG_LEVEL: 'trace',
    DATABASE_URL: `postgres://remit:${CANARY}-password@127.0.0.1:1/remit`,
  }
  await assert.rejects(startServerProcess(directory, env), ({ message }: Error) => {
    assert.ok(message.length > 20)
    assert.equal(message.includes(CANARY), false, message)
    return true
  })
  await rm(directory, { recursive: true })
})

/** What a request carries that nobody else may have. */
function plantFrom(attempt: Attempt, planted: Set<string>): void {
  const { headers, body } = requestOf(attempt)
  const raw = headers.filter((_, index) => index % 2 === 1).flatMap(value => value.split(' '))
  const params = attempt.path.startsWith('/intent/') ? [] : [...new URLSearchParams(String(body)).values()]
  for (const value of [...raw, ...params]) {
    if (value.length > 60) planted.add(value)
  }
}

function around(text: string, part: string): string {
  const at = text.indexOf(part)
  return text.slice(Math.max(0, at - 80), at + 80)
}
