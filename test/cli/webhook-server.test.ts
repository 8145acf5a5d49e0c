import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { z } from 'zod'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { webhookDeliverySchema } from '../../src/protocol/webhook.ts'
import { givenReceiver, type Received } from '../webhooks/given.ts'
import { freeAddresses, remitJson, serve, workingDirectory } from './remit.ts'

const API = 'https://bank.example.test'
const PAYMENT = { to: 'DE89', amount: 1200 }
const PAY = ['--step', 'pay', '--arguments', 'payment.json', '--execution']
const UNHEARD = 'a webhook was not delivered'
const deliveriesSchema = z.array(webhookDeliverySchema)
const BOUND = { timeout: 180_000 }

/** A server of two workers that may tell a receiver on loopback, with an app whose step `pay` needs an approval. */
async function givenServer() {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const server = await serve(cwd, { ...env, REMIT_WORKERS: '2', REMIT_ALLOW_PRIVATE_FETCH: '1' })
  const command = (...args: readonly string[]) => remitJson(cwd, args)
  const done = async (...args: readonly string[]) => {
    const { code, value, stderr } = await command(...args)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    return value
  }
  const access = [
    { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
    { resource: API, scope: 'pay' },
  ]
  const files: Readonly<Record<string, unknown>> = {
    'client.json': {
      ...{ client_id: 'app', client_name: 'App', owner: 'user:local:anna', kind: 'app', access },
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'agent_checksum'],
      policies: { default_grant: 'client' },
    },
    'api.json': { resource: API, scopes: [{ name: 'pay' }] },
    'agent.json': { agent_id: 'payer', prompt_template: 'Pay.', tools: [] },
    'flow.json': {
      workflow_id: 'transfer',
      steps: [
        { step_id: 'plan', agent_id: 'payer', required: true },
        { step_id: 'gate', approval_gate: true },
        { step_id: 'pay', agent_id: 'payer', requires_approval: true },
      ],
    },
    'payment.json': PAYMENT,
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), JSON.stringify(content))
  const asApp = ['--client', 'app', '--secret-file', 'secret']
  await done('init', '--owner', 'user:local:anna', '--url', issuer, '--admin-url', admin_url)
  await done('admin', 'add', '--owner', 'user:local:ben', '--profile-out', 'ben.json')
  await done('resource', 'create', 'api.json')
  await done('client', 'create', 'client.json', '--secret-file', 'secret')
  await done('agent', 'create', 'agent.json', ...asApp, '--generate-key', 'agent-key.json')
  await done('workflow', 'create', 'flow.json', ...asApp)
  const grant = ['token', 'mint', ...asApp, '--file', 'agent.json', '--key', 'agent-key.json']
  const mint = (...step: readonly string[]) =>
    command(...grant, '--scope', 'pay', '--resource', API, '--workflow', 'transfer', ...step)
  return { cwd, server, done, mint }
}

/** A receiver that answers 204, and from whom one can wait for what it is told. */
async function givenListener() {
  const waiting = new Map<string, PromiseWithResolvers<Received>>()
  const told = (type: string, status: string) => {
    const key = `${type} ${status}`
    const known = waiting.get(key) ?? Promise.withResolvers<Received>()
    waiting.set(key, known)
    return known
  }
  const { url, received } = await givenReceiver((response, one) => {
    response.writeHead(204).end()
    const { type, data } = JSON.parse(one.body)
    told(type, data.status).resolve(one)
  })
  return { url, received, told: (type: string, status: string) => told(type, status).promise }
}

test(
  'a server of two workers tells a receiver of an approval, signed, and of each event once (Standard Webhooks 1.0)',
  BOUND,
  async () => {
    const { url, received, told } = await givenListener()
    const { cwd, server, done, mint } = await givenServer()
    const { webhook_id } = await done('webhook', 'create', `${url}/hooks`, '--secret-file', 'hook-secret')
    const webhook = new Webhook((await readFile(join(cwd, 'hook-secret'), 'utf8')).trim())
    const { execution_id } = (await mint('--step', 'plan')).value
    const listening = server.log().filter(({ msg }) => String(msg).startsWith('Server listening'))
    assert.equal(new Set(listening.map(({ pid }) => pid)).size, 2)

    const { code, value } = await mint(...PAY, execution_id)

    assert.deepEqual([code, value.error], [1, 'approval_pending'])
    const opened = await told('approval.opened', 'pending')
    const [approval] = await done('approval', 'list', '--execution', execution_id, '--profile', 'ben.json')
    const arguments_digest = sha256Base64url(canonicalJson(PAYMENT))
    const data = {
      ...{ approval_id: approval.approval_id, execution_id, client_id: 'app', workflow_id: 'transfer' },
      ...{ workflow_step: 'pay', agent_id: 'payer', arguments_digest, status: 'pending' },
      expires_at: approval.expires_at,
    }
    assert.deepEqual(webhook.verify(opened.body, opened.headers), {
      ...{ type: 'approval.opened', timestamp: approval.opened_at, data },
    })

    const decision = ['--digest', arguments_digest, '--reason', 'as agreed', '--profile', 'ben.json']
    const granted = await done('approval', 'grant', approval.approval_id, ...decision)

    const decided = await told('approval.decided', 'granted')
    assert.deepEqual(webhook.verify(decided.body, decided.headers), {
      ...{ type: 'approval.decided', timestamp: granted.decided_at, data: { ...data, status: 'granted' } },
    })
    assert.equal((await mint(...PAY, execution_id)).code, 0)

    // What is told later shows that the outbox was looked through again; each of the first two came only once.
    const { execution_id: another } = (await mint('--step', 'plan')).value
    assert.equal((await mint(...PAY, another)).value.error, 'approval_pending')
    const rows = await allDelivered(() => done('webhook', 'deliveries', webhook_id))
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['approval.opened', 'approval.decided', 'approval.opened'],
    )
    const idOf = ({ headers }: Received) => String(headers['webhook-id'])
    assert.deepEqual(new Set(received.map(idOf)), new Set(rows.map(({ delivery_id }) => delivery_id)))
    for (const id of [opened, decided].map(idOf)) {
      // On a machine that stood still the server may not have heard the answer. It says so in its log, and tells it again.
      const unheard = server.log().filter(({ msg, delivery_id }) => delivery_id === id && msg === UNHEARD)
      assert.ok(received.filter(one => idOf(one) === id).length <= 1 + unheard.length, id)
    }
  },
)

/** What the webhook was told, once nothing is due any more; the limit of the test ends it where that never is. */
async function allDelivered(read: () => Promise<unknown>) {
  for (;;) {
    const rows = deliveriesSchema.parse(await read())
    if (rows.every(({ status }) => status === 'delivered')) return rows
  }
}
