import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { delegationTree } from '../../src/cli/delegation-tree.ts'
import { auditRowSchema } from '../../src/protocol/audit-views.ts'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

const API = 'https://api.example.test'
const rowsSchema = z.array(auditRowSchema)

/** One server and one working directory; the tests follow each other. */
describe('executions by the command line', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const asApp = ['--client', 'app', '--secret-file', 'secret']
  const asBen = ['--profile', 'ben.json']
  const mint = ['token', 'mint', ...asApp, '--file', 'agent.yaml', '--key', 'agent-key.json', '--scope', 'write']
  await serve(cwd, env)
  let execution_id = ''

  async function mintFor(step: string, ...more: readonly string[]) {
    return await remitJson(cwd, [...mint, '--resource', API, '--workflow', 'patch', '--step', step, ...more])
  }

  test('a client, an API, an agent and a workflow with a gate are made', async () => {
    const client = {
      ...{ client_id: 'app', client_name: 'App', owner: 'user:local:carl', kind: 'app' },
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials', 'agent_checksum'],
      access: [
        { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
        { resource: API, scope: 'write' },
      ],
      policies: { default_grant: 'client' },
    }
    const steps = [
      { step_id: 'scan', agent_id: 'patcher', required: true },
      { step_id: 'check', approval_gate: true, required: true },
      { step_id: 'apply', agent_id: 'patcher', requires_approval: true },
    ]
    const files: Readonly<Record<string, string>> = {
      'client.json': JSON.stringify(client),
      'api.yaml': `resource: ${API}\nscopes: [{ name: write }]\n`,
      'agent.yaml': 'agent_id: patcher\nprompt_template: Patch.\ntools: []\n',
      'patch.json': JSON.stringify({ workflow_id: 'patch', steps }),
      'arguments.json': JSON.stringify({ branch: 'main' }),
    }
    for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content)
    const made = [
      ['init', '--owner', 'user:local:anna', '--url', issuer, '--admin-url', admin_url],
      ['admin', 'add', '--owner', 'user:local:ben', '--profile-out', 'ben.json'],
      ['resource', 'create', 'api.yaml'],
      ['client', 'create', 'client.json', '--secret-file', 'secret'],
      ['agent', 'create', 'agent.yaml', ...asApp, '--generate-key', 'agent-key.json'],
      ['workflow', 'create', 'patch.json', ...asApp],
    ]
    for (const args of made) {
      const { code, stderr } = await remitJson(cwd, args)
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    }
  })

  test('execution start opens one ahead, with a digest of the intent and an end', async () => {
    const digest = 'd'.repeat(43)
    const started = await remitJson(cwd, [
      ...['execution', 'start', 'patch', ...asApp, '--intent-digest', digest, '--expires-in', '600'],
      ...['--limits', 'max_tokens=8,max_nodes=64'],
    ])
    assert.equal(started.code, 0, started.stderr)
    const { workflow_id, intent_digest, initiated_by, status, limits, opened_at, expires_at } = started.value
    assert.deepEqual([workflow_id, intent_digest, initiated_by, status], ['patch', digest, 'app', 'open'])
    assert.equal(Date.parse(expires_at) - Date.parse(opened_at), 600_000)
    assert.deepEqual(limits, { max_tokens: 8, max_children: 16, max_nodes: 64 })
    for (const wrong of ['max_tokens', 'max_tokens=', 'max_tokens=0', 'max_nodes=1,max_nodes=2', 'other=1', '']) {
      const refused = await remit(cwd, ['execution', 'start', 'patch', ...asApp, '--limits', wrong])
      assert.deepEqual([refused.code, /It is a list as max_tokens=8/.test(refused.stderr)], [2, true], wrong)
    }
    execution_id = started.value.execution_id
    const wrong = await remitJson(cwd, ['execution', 'start', 'nothing', ...asApp])
    assert.deepEqual([wrong.code, wrong.value.error], [1, 'invalid_request'])
    const alone = ['execution', 'start', 'patch', ...asApp, '--subject-token-type', 'urn:x']
    assert.match((await remit(cwd, alone)).stderr, /Give --subject-token-file FILE/)
    assert.match((await remit(cwd, ['execution', 'start', 'patch', '--expires-in', '0'])).stderr, /from 1 to 86400/)
  })

  test('steps are minted in it, and one that needs an approval waits for it', async () => {
    const scanned = await mintFor('scan', '--execution', execution_id)
    assert.deepEqual([scanned.code, scanned.value.execution_id], [0, execution_id])
    assert.match(scanned.stderr, new RegExp(`Of execution ${execution_id}: later steps name it with --execution`))
    const waits = await mintFor('apply', '--execution', execution_id, '--arguments', 'arguments.json')
    assert.deepEqual([waits.code, waits.value.error], [1, 'approval_pending'])
    const half = await remit(cwd, [...mint, '--resource', API, '--arguments', 'arguments.json'])
    assert.match(half.stderr, /Give --workflow and --step, whose arguments these are/)
  })

  test('execution show: steps with their states, what they wait for, tokens and approvals, and what to do', async () => {
    const shown = await remit(cwd, ['execution', 'show', execution_id])
    assert.match(shown.stdout, /^workflow_id +patch$/m)
    assert.match(shown.stdout, /^limits +8 tokens a step, 16 children, 64 tokens in all$/m)
    assert.match(shown.stdout, /^scan +patcher +entered +- +1 +1 +\d{4}-\S+ +-$/m)
    assert.match(shown.stdout, /^check +- +open +is a gate +0 +0 +- +scan$/m)
    assert.match(shown.stdout, /^apply +patcher +open +approval +0 +0 +- +check$/m)
    assert.match(shown.stdout, /^Delegations\n\(none\)$/m)
    assert.match(shown.stdout, /^apr_\S+ +apply +pending /m)
    assert.match(shown.stderr, new RegExp(`remit approval list --execution ${execution_id}\n`))
    assert.match(shown.stderr, new RegExp(`remit revoke execution ${execution_id} --reason`))
    const { value } = await remitJson(cwd, ['execution', 'show', execution_id])
    assert.deepEqual(
      value.tokens.map((token: { workflow_step: string; status: string }) => [token.workflow_step, token.status]),
      [['scan', 'live']],
    )
    const [{ approval_id, arguments_digest }] = value.approvals
    const grant = ['approval', 'grant', approval_id, '--digest', arguments_digest, '--reason', 'read it', ...asBen]
    const granted = await remitJson(cwd, grant)
    assert.equal(granted.code, 0, granted.stderr)
    const applied = await mintFor('apply', '--execution', execution_id, '--arguments', 'arguments.json')
    assert.equal(applied.code, 0, applied.stderr)
    const after = await remit(cwd, ['execution', 'show', execution_id])
    assert.match(after.stdout, /^check +- +granted /m)
    assert.match(after.stdout, /^apply +patcher +entered +- +1 +1 /m)
    const again = ['--execution', execution_id, '--arguments-digest', arguments_digest]
    const renewed = await mintFor('apply', ...again)
    assert.equal(renewed.code, 0, renewed.stderr)
    const others = ['--execution', execution_id, '--arguments-digest', 'A'.repeat(43)]
    assert.equal((await mintFor('apply', ...others)).value.error, 'approval_required')
    const both = await remit(cwd, [...mint, '--resource', API, ...again, '--arguments', 'arguments.json'])
    assert.deepEqual([both.code, /cannot be used with option/.test(both.stderr)], [2, true])
    const unknown = await remitJson(cwd, ['execution', 'show', `exe_${'A'.repeat(22)}`])
    assert.deepEqual([unknown.code, unknown.value.error], [1, 'not_found'])
  })

  test('execution show as the client whose execution it is: the same, with the scope by which it mints', async () => {
    const own = ['execution', 'show', execution_id, ...asApp]
    const { code, value, stderr } = await remitJson(cwd, own)
    assert.equal(code, 0, stderr)
    assert.deepEqual(value, (await remitJson(cwd, ['execution', 'show', execution_id])).value)
    assert.equal(value.tokens.length, 3)
    assert.equal((await remit(cwd, own)).stderr, '', 'no command of an administrator')
    const unknown = await remitJson(cwd, ['execution', 'show', `exe_${'A'.repeat(22)}`, ...asApp])
    assert.deepEqual([unknown.code, unknown.value.error], [1, 'not_found'])
    const half = await remit(cwd, ['execution', 'show', execution_id, '--secret-file', 'secret'])
    assert.deepEqual([half.code, /Give --client ID/.test(half.stderr)], [2, true])
  })

  test('execution list filters by client, workflow, initiator and status', async () => {
    const opened = await mintFor('scan')
    assert.equal(opened.code, 0, opened.stderr)
    const revoke = ['revoke', 'execution', opened.value.execution_id, '--reason', 'test']
    assert.equal((await remitJson(cwd, revoke)).code, 0)
    const ids = async (...filter: readonly string[]) =>
      (await remitJson(cwd, ['execution', 'list', ...filter])).value.map(
        (row: { execution_id: string }) => row.execution_id,
      )
    assert.deepEqual(await ids(), [opened.value.execution_id, execution_id])
    assert.deepEqual(await ids('--status', 'revoked'), [opened.value.execution_id])
    assert.deepEqual(await ids('--client', 'app', '--workflow', 'patch', '--initiator', 'app'), [execution_id])
    assert.deepEqual(await ids('--initiator', 'agent:app:patcher'), [opened.value.execution_id])
    assert.deepEqual(await ids('--client', 'app', '--workflow', 'other'), [])
    assert.deepEqual(await ids('--status', 'expired'), [])
    const bare = await remit(cwd, ['execution', 'list', '--workflow', 'patch'])
    assert.deepEqual([bare.code, /Give --client ID, whose workflow this is/.test(bare.stderr)], [2, true])
    const one = await remit(cwd, ['execution', 'list', '--limit', '1'])
    assert.match(one.stderr, /There are more/)
    assert.match(one.stdout, /^execution_id +client_id +workflow_id/)
  })

  test('audit search finds what happened in an execution, and by --jti what happened to a token of it', async () => {
    const other = await mintFor('scan')
    assert.equal(other.code, 0, other.stderr)
    const searched = async (...filter: readonly string[]) => {
      const { code, value, stderr } = await remitJson(cwd, ['audit', 'search', ...filter])
      assert.equal(code, 0, stderr)
      return rowsSchema.parse(value)
    }
    const rows = await searched('--execution', execution_id)
    assert.deepEqual(
      rows.map(({ action, outcome }) => `${action} ${outcome}`),
      [
        // A digest of no approval, and the renewal by the digest of its own.
        ...['token.issue refused', 'token.issue success'],
        'token.issue success',
        'approval.grant success',
        'token.issue refused',
        'token.issue success',
        'execution.open success',
      ],
    )
    assert.deepEqual(new Set(rows.map(row => row.execution_id)), new Set([execution_id]))
    const applied = rows.find(row => row.outcome === 'success')
    assert.deepEqual(await searched('--jti', applied?.jti ?? ''), [applied])
    const others = await searched('--execution', other.value.execution_id)
    assert.deepEqual(
      others.map(row => [row.action, row.execution_id]),
      [['token.issue', other.value.execution_id]],
    )
    assert.deepEqual(await searched('--execution', execution_id, '--jti', others[0]?.jti ?? ''), [])
  })
})

const SUBJECTS = ['supervisor', 'planner', 'patcher', 'notifier'].map(name => `agent:app:${name}`)
const [SUPERVISOR = '', PLANNER = '', PATCHER = '', NOTIFIER = ''] = SUBJECTS

function delegation(chain: readonly string[], members: object = {}) {
  return {
    ...{ delegation_id: chain.join(), delegator: chain.at(-2) ?? '', delegate: chain.at(-1) ?? '', parent_jti: 'p' },
    ...{ workflow_step: null, scope: 'read', resource: API, chain: [...chain], issued_at: 'T0', expires_at: 'T1' },
    ...{ status: 'live' as const, ...members },
  }
}

function token(delegation_id: string) {
  return {
    ...{ jti: 't', agent_id: 'a', workflow_step: null, resource: API, scope: 'read', parent_jti: 'p', delegation_id },
    ...{ approval_id: null, issued_at: 'T0', expires_at: 'T1', status: 'live' as const },
  }
}

test('who delegated to whom is a tree, with each step, scope, number of tokens and end', () => {
  const planner = delegation([SUPERVISOR, PLANNER], { workflow_step: 'plan' })
  const newestFirst = [
    delegation([SUPERVISOR, PLANNER, NOTIFIER], { status: 'revoked' }),
    delegation([SUPERVISOR, PLANNER, PATCHER], { scope: 'write' }),
    planner,
  ]
  const tree = delegationTree(newestFirst, [token(planner.delegation_id), token(planner.delegation_id)])
  assert.deepEqual(tree.split('\n'), [
    'agent:app:supervisor',
    '└─ agent:app:planner',
    `      for plan  read at ${API}  2 tokens  live until T1`,
    '   └─ agent:app:patcher',
    `         write at ${API}  0 tokens  live until T1`,
    '   └─ agent:app:notifier',
    `         read at ${API}  0 tokens  revoked`,
  ])
  assert.equal(delegationTree([], []), '(none)')
})

test('an agent whose own delegation is not among the newest stands in the tree all the same', () => {
  const tree = delegationTree([delegation([SUPERVISOR, PLANNER, PATCHER])], [])
  assert.deepEqual(tree.split('\n').slice(0, 3), [
    'agent:app:supervisor',
    '└─ agent:app:planner',
    '   └─ agent:app:patcher',
  ])
})
