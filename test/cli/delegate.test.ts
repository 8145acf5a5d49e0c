import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader, exportJWK } from 'jose'
import { delegationDigest } from '../../src/protocol/delegation.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey, type TestKey } from '../support/dpop.ts'
import { givenAgent, givenClient, givenResource } from '../support/given.ts'
import { givenWorkflow } from '../support/recorded.ts'
import { remit, remitJson, workingDirectory } from './remit.ts'

const API = 'https://api.example.com'
const app = await startTestApp()
const { issuer, clock } = app
const cwd = await workingDirectory()
await givenResource(app, { resource: API, scopes: [{ name: 'read' }, { name: 'write' }] })
const access = [{ resource: API, scope: 'read write' }]
const client = await givenClient(app, {
  access: [...access, { resource: issuer, scope: 'generate:intent-token' }],
})
const agents = new Map<string, Awaited<ReturnType<typeof givenAgent>>>()
for (const agent_id of ['root', 'middle', 'leaf', 'lead', 'hand']) {
  const agent = await givenAgent(app, client, agent_id, { grant: { access } })
  agents.set(agent_id, agent)
  await writeFile(join(cwd, `${agent_id}.json`), await privateText(agent.key))
}
await givenWorkflow(app, client, 'flow', [
  { step_id: 'plan', agent_id: 'lead', required: true },
  { step_id: 'patch', agent_id: 'hand' },
])
await writeFile(join(cwd, 'client.json'), await privateText(client.key))
await writeFile(join(cwd, 'other.json'), await privateText(await generateKey()))

async function privateText({ alg, privateKey }: TestKey): Promise<string> {
  return JSON.stringify({ ...(await exportJWK(privateKey)), alg })
}

/** The commands live in real time, the test clock does not. */
function keepTime(): void {
  clock.advance(Math.floor(Date.now() / 1000) - clock.seconds())
}

/** Mints into the file `<agent_id>-token`. */
async function mint(agent_id: string, ...more: readonly string[]) {
  keepTime()
  const as = ['--client', client.client_id, '--client-key', 'client.json', '--url', issuer]
  const of = ['--agent', agent_id, '--checksum', agents.get(agent_id)?.checksum ?? '', '--key', `${agent_id}.json`]
  const asked = more.includes('--scope') ? [] : ['--scope', 'read']
  const { code, stdout, stderr } = await remit(cwd, [
    'token',
    'mint',
    ...as,
    ...of,
    '--resource',
    API,
    ...asked,
    ...more,
  ])
  await writeFile(join(cwd, `${agent_id}-token`), stdout)
  return { code, stderr, claims: code === 0 ? decodeJwt(stdout.trim()) : undefined }
}

/** What the command prints, into a file of this name. */
async function delegate(out: string, from: string, to: string, ...more: readonly string[]) {
  const toKey = more.includes('--jkt') ? [] : ['--to-key', `${to}.json`]
  const args = ['delegate', `${from}-token`, '--key', `${from}.json`, '--to', to, ...toKey, ...more]
  const { code, stdout, stderr } = await remit(cwd, args)
  await writeFile(join(cwd, out), stdout)
  return { code, stderr, assertion: stdout.trim(), claims: code === 0 ? decodeJwt(stdout.trim()) : {} }
}

async function fails(
  args: Promise<{ code: number | null; stderr: string }>,
  code: number,
  text: RegExp,
): Promise<void> {
  const result = await args
  assert.equal(result.code, code, result.stderr)
  assert.match(result.stderr, text)
}

test('remit delegate: a task goes on twice, and the chain is in the token (section 6)', async () => {
  await mint('root', '--scope', 'read write')
  const first = await delegate('first', 'root', 'middle')
  assert.equal(first.code, 0, first.stderr)
  const name = (agent_id: string) => `agent:${client.client_id}:${agent_id}`
  const { iat = 0, jti, exp, parent_jti, ...claims } = first.claims
  assert.deepEqual(claims, {
    iss: name('root'),
    sub: name('middle'),
    aud: issuer,
    jkt: agents.get('middle')?.key.jkt,
    scope: 'read write',
    resource: [API],
  })
  assert.deepEqual([exp, typeof jti, typeof parent_jti], [iat + 600, 'string', 'string'])
  assert.equal(decodeProtectedHeader(first.assertion).typ, 'delegation+jwt')
  assert.match(first.stderr, /agent:\S+:middle may ask with it until \S+, first within 120 s\./)
  assert.equal((await mint('middle', '--delegation', 'first', '--scope', 'read')).code, 0)
  const jkt = String(agents.get('leaf')?.key.jkt)
  const second = await delegate('second', 'middle', 'leaf', '--jkt', jkt, '--prev-assertion', 'first')
  assert.deepEqual([second.claims.prev, second.claims.scope], [delegationDigest(first.assertion), 'read'])
  assert.equal(second.claims.exp, exp)
  const leaf = await mint('leaf', '--delegation', 'second')
  assert.equal(leaf.code, 0, leaf.stderr)
  assert.deepEqual(
    [leaf.claims?.sub, leaf.claims?.act],
    [
      name('root'),
      { sub: name('leaf'), sub_profile: 'ai_agent', act: { sub: name('middle'), sub_profile: 'ai_agent' } },
    ],
  )
})

test('the step and the execution of the token are always written; another step has rights of its own (section 6)', async () => {
  const plan = await mint('lead', '--workflow', 'flow', '--step', 'plan')
  assert.equal(plan.code, 0, plan.stderr)
  const { execution_id } = Object(plan.claims?.intent)
  const within = await delegate('within', 'lead', 'leaf')
  assert.deepEqual([within.claims.workflow_step, within.claims.execution_id], ['plan', execution_id])
  await fails(delegate('over', 'lead', 'hand', '--step', 'patch'), 2, /--scope and --resource/)
  const over = await delegate('over', 'lead', 'hand', '--step', 'patch', '--scope', 'write', '--resource', API)
  assert.deepEqual([over.claims.workflow_step, over.claims.scope], ['patch', 'write'])
  const of = ['--workflow', 'flow', '--execution', execution_id]
  assert.equal((await mint('leaf', ...of, '--step', 'plan', '--delegation', 'within')).code, 0)
  const patch = await mint('hand', ...of, '--step', 'patch', '--delegation', 'over', '--scope', 'write')
  assert.deepEqual([patch.code, patch.claims?.sub], [0, `agent:${client.client_id}:lead`])
})

test('what cannot hold is said before it is signed', async () => {
  await mint('root')
  await delegate('again', 'root', 'middle')
  await mint('middle', '--delegation', 'again')
  await fails(delegate('x', 'middle', 'leaf'), 2, /was itself delegated: give --prev-assertion/)
  await fails(delegate('x', 'root', 'middle', '--prev-assertion', 'again'), 2, /minted without an assertion/)
  const prev = ['--prev-assertion', 'again']
  await fails(delegate('x', 'middle', 'leaf', ...prev, '--expires-in', '3600'), 2, /ends in \d+ s/)
  await fails(delegate('x', 'root', 'middle', '--expires-in', '0'), 2, /--expires-in is malformed/)
  await fails(delegate('x', 'root', 'a b'), 2, /--to is malformed/)
  const mine = ['delegate', 'root-token', '--to', 'middle']
  await fails(remit(cwd, [...mine, '--key', 'other.json', '--to-key', 'middle.json']), 1, /bound to another key/)
  await fails(remit(cwd, [...mine, '--key', 'root.json']), 2, /--to-key FILE, or --jkt/)
  await fails(remit(cwd, ['delegate', 'again', '--key', 'root.json', '--to', 'middle']), 1, /no intent token/)
})

test('an expired token, or one under a delegation that is over, delegates nothing', async () => {
  const unsigned = (claims: object) => `${encode({ alg: 'none' })}.${encode(claims)}.c2ln`
  const { claims: token = {} } = await mint('root')
  await writeFile(join(cwd, 'old-token'), unsigned({ ...token, exp: Math.floor(Date.now() / 1000) - 1 }))
  const sign = ['--key', 'root.json', '--to', 'middle', '--to-key', 'middle.json']
  await fails(remit(cwd, ['delegate', 'old-token', ...sign]), 1, /has expired/)
  const delegated = { ...token, intent: { ...Object(token.intent), chain_commitment: 'other' } }
  await writeFile(join(cwd, 'deep-token'), unsigned(delegated))
  await writeFile(join(cwd, 'over'), unsigned({ exp: 1 }))
  await fails(remit(cwd, ['delegate', 'deep-token', ...sign, '--prev-assertion', 'over']), 1, /is over/)
  const shown = unsigned({ exp: Math.floor(Date.now() / 1000) + 100 })
  await writeFile(join(cwd, 'shown-token'), unsigned({ ...delegated, delegation_proofs: [shown] }))
  const { code, value } = await remitJson(cwd, ['delegate', 'shown-token', ...sign])
  assert.equal(code, 0)
  assert.equal(decodeJwt(value.delegation_assertion).prev, delegationDigest(shown))
  assert.ok(value.expires_in <= 100)
})

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
