import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { approvalNotes } from '../../src/cli/approval-notes.ts'
import { ask } from '../../src/cli/confirm.ts'
import { agentChecksum } from '../../src/protocol/checksum.ts'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { jsonOf } from '../support/json-of.ts'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

const API = 'https://bank.example.test'
const AGENT = { agent_id: 'payer', prompt_template: 'Pay.', tools: [] }

/** One server and one working directory; the tests follow each other. */
describe('approvals and webhooks by the command line', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  await serve(cwd, env)
  const asBen = ['--profile', 'ben.json']

  /** The agent grant for one step, as the app that needs no proof asks. */
  async function mint(details: object) {
    const secret = (await readFile(join(cwd, 'secret'), 'utf8')).trim()
    const response = await fetch(`${issuer}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`app:${secret}`).toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'agent_checksum',
        ...{ agent_id: 'payer', computed_checksum: agentChecksum(AGENT), scope: 'pay', resource: API },
        authorization_details: JSON.stringify([
          { type: 'urn:remit:workflow-step', workflow_id: 'transfer', ...details },
        ]),
      }),
    })
    return await jsonOf(response)
  }

  /** What a mint of step `pay` in an execution of its own is told to wait for. */
  async function asked(sent?: { to: string; amount: number }) {
    const { execution_id } = await mint({ workflow_step: 'plan' })
    const more = sent === undefined ? {} : { arguments: sent }
    const answer = await mint({ workflow_step: 'pay', execution_id, ...more })
    assert.equal(answer.ajwt_error, 'approval_pending', JSON.stringify(answer))
    return {
      id: String(answer.approval_id),
      digest: sent === undefined ? 'none' : sha256Base64url(canonicalJson(sent)),
    }
  }

  test('a workflow with a gate, and two administrators', async () => {
    const client = {
      ...{ client_id: 'app', client_name: 'App', owner: 'user:local:anna', kind: 'app' },
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'agent_checksum'],
      access: [
        { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
        { resource: API, scope: 'pay refund' },
      ],
      policies: { default_grant: 'client', agent_proof: 'optional', allow_bearer: true },
    }
    const steps = [
      { step_id: 'plan', agent_id: 'payer', required: true },
      { step_id: 'gate', approval_gate: true },
      {
        ...{ step_id: 'pay', agent_id: 'payer', requires_approval: true },
        access: [{ resource: API, scope: 'pay refund' }],
      },
    ]
    const files: Readonly<Record<string, unknown>> = {
      'client.json': client,
      'api.json': { resource: API, scopes: [{ name: 'pay' }, { name: 'refund' }], allow_bearer: true },
      'agent.json': AGENT,
      'flow.json': { workflow_id: 'transfer', steps },
    }
    for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), JSON.stringify(content))
    const asApp = ['--client', 'app', '--secret-file', 'secret']
    const made = [
      ['init', '--owner', 'user:local:anna', '--url', issuer, '--admin-url', admin_url],
      ['admin', 'add', '--owner', 'user:local:ben', '--profile-out', 'ben.json'],
      ['resource', 'create', 'api.json'],
      ['client', 'create', 'client.json', '--secret-file', 'secret'],
      ['agent', 'create', 'agent.json', ...asApp, '--generate-key', 'agent-key.json'],
      ['workflow', 'create', 'flow.json', ...asApp],
    ]
    for (const args of made) {
      const { code, stderr } = await remitJson(cwd, args)
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    }
  })

  test('approval list and show: the exact arguments, what hides made visible, and how to decide', async () => {
    const { id, digest } = await asked({ to: 'DE\u200b89\u202e', amount: 1200 })
    const list = await remit(cwd, ['approval', 'list', ...asBen])
    assert.match(list.stdout, new RegExp(`^approval_id .*\n${id} +pending +transfer +pay +payer +agent:app:payer `))
    const shown = await remit(cwd, ['approval', 'show', id, ...asBen])
    assert.equal(shown.code, 0, shown.stderr)
    assert.match(shown.stdout, /\nArguments\n│ {\n│ {3}"amount": 1200,\n│ {3}"to": "DE⟦U\+200B⟧89⟦U\+202E⟧"\n│ }\n$/)
    assert.match(shown.stdout, /\nWarning: the arguments have characters that do not show as they are/)
    assert.match(shown.stdout, new RegExp(`\narguments_digest +${digest}\n`))
    assert.match(shown.stdout, /\nexcluded_owners +user:local:anna\n/)
    assert.match(shown.stdout, /\nfirst_asked_for +pay at https:\/\/bank\.example\.test\n/)
    assert.match(shown.stdout, /\nstep_opens +pay refund at https:\/\/bank\.example\.test\n/)
    assert.doesNotMatch(shown.stdout, /\u200b|\u202e/)
    assert.match(shown.stderr, new RegExp(`remit approval grant ${id} --digest ${digest} --reason`))
    assert.match(shown.stderr, /^Not as one of: {2}user:local:anna$/m)
    const { value } = await remitJson(cwd, ['approval', 'show', id, ...asBen])
    assert.equal(value.arguments, '{"amount":1200,"to":"DE\u200b89\u202e"}')
  })

  test('approval grant and deny name the digest of what was read; the owner of the client decides nothing', async () => {
    const { id, digest } = await asked({ to: 'DE89', amount: 1 })
    const why = ['--reason', 'as agreed']
    const grant = ['approval', 'grant', id, ...why]
    assert.equal((await remit(cwd, [...grant, ...asBen])).code, 2)
    assert.equal((await remit(cwd, [...grant, '--digest', 'abc', ...asBen])).code, 2)
    const other = await remitJson(cwd, [...grant, '--digest', 'none', ...asBen])
    assert.deepEqual([other.code, other.value.error], [1, 'conflict'])
    const own = await remitJson(cwd, [...grant, '--digest', digest])
    assert.deepEqual([own.code, own.value.error], [1, 'forbidden'])
    const another = 'remit admin add --owner user:local:ben --profile-out ben.json, then remit --profile ben.json'
    assert.equal(own.value.next, `${another} approve ${id} ...`)
    const granted = await remitJson(cwd, [...grant, '--digest', digest, ...asBen])
    assert.deepEqual([granted.code, granted.value.status], [0, 'granted'], granted.stderr)
    const without = await asked()
    const deny = ['approval', 'deny', without.id, '--digest', 'none', ...why, ...asBen]
    assert.equal((await remitJson(cwd, deny)).value.status, 'denied')
    const all = await remitJson(cwd, ['approval', 'list', '--status', 'denied', ...asBen])
    assert.deepEqual(
      all.value.map((row: { approval_id: string }) => row.approval_id),
      [without.id],
    )
  })

  test('approve shows what it grants, and grants in a script only what was read', async () => {
    const { id, digest } = await asked({ to: 'DE89', amount: 2 })
    const approve = ['approve', id, ...asBen]
    const blind = await remit(cwd, approve)
    assert.deepEqual([blind.code, /no terminal/.test(blind.stderr)], [2, true])
    for (const half of [['--yes'], ['--yes', '--digest', digest], ['--yes', '--reason', 'as agreed']]) {
      assert.equal((await remit(cwd, [...approve, ...half])).code, 2, half.join(' '))
    }
    const script = ['--yes', '--reason', 'as agreed', '--digest']
    const wrong = await remit(cwd, [...approve, ...script, sha256Base64url('{}')])
    assert.deepEqual([wrong.code, /read it again/.test(wrong.stderr)], [1, true])
    const granted = await remit(cwd, [...approve, ...script, digest])
    assert.equal(granted.code, 0, granted.stderr)
    assert.match(granted.stderr, /\nArguments\n│ {\n│ {3}"amount": 2,\n│ {3}"to": "DE89"\n│ }\n/)
    assert.match(granted.stdout, /\nstatus +granted\n/)
    assert.equal((await remit(cwd, [...approve, ...script, digest])).code, 1)
  })

  test('whoever is logged in and may not decide is shown no command that would be refused', () => {
    const detail = { approval_id: 'apr', arguments_digest: null, excluded_owners: ['user:staff:eve'] }
    const own = approvalNotes(detail, 'user:staff:eve').join('\n')
    assert.match(own, /^As user:staff:eve you may not decide .* remit --profile ben\.json approval show apr$/)
    for (const reader of ['user:staff:tom', undefined]) {
      assert.match(approvalNotes(detail, reader)[0] ?? '', /remit approval grant apr --digest none --reason/)
    }
  })

  test('a question is answered by a line, and by nothing where the terminal is closed', async () => {
    for (const [typed, answer] of [
      [' yes \n', 'yes'],
      ['', ''],
    ] as const) {
      const [input, output] = [new PassThrough(), new PassThrough()]
      input.end(typed)
      assert.equal(await ask('Grant? ', input, output), answer)
      assert.equal(String(output.read()), 'Grant? ')
    }
  })

  test('webhook create shows its secret once or keeps it in a file; list, deliveries and delete', async () => {
    const url = 'https://hooks.example.test/remit'
    const made = await remitJson(cwd, ['webhook', 'create', url])
    assert.match(made.value.secret, /^whsec_/)
    const filed = await remitJson(cwd, ['webhook', 'create', url, '--secret-file', 'hook-secret'])
    assert.deepEqual([filed.value.secret, filed.value.secret_file], [undefined, 'hook-secret'])
    assert.match(await readFile(join(cwd, 'hook-secret'), 'utf8'), /^whsec_[A-Za-z0-9+/]{43}=\n$/)
    assert.equal((await stat(join(cwd, 'hook-secret'))).mode & 0o777, 0o600)
    assert.equal((await remitJson(cwd, ['webhook', 'create', 'http://10.0.0.1/'])).value.error, 'invalid_request')
    const { id } = await asked({ to: 'DE89', amount: 3 })
    const deliveries = await remitJson(cwd, ['webhook', 'deliveries', made.value.webhook_id])
    assert.deepEqual(
      deliveries.value.map((row: { type: string }) => row.type),
      ['approval.opened'],
      id,
    )
    for (const webhook_id of [made.value.webhook_id, filed.value.webhook_id]) {
      assert.equal((await remitJson(cwd, ['webhook', 'delete', webhook_id])).value.status, 'deleted')
    }
    assert.deepEqual((await remitJson(cwd, ['webhook', 'list'])).value, [])
  })
})
