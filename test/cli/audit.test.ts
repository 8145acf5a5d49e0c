import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { hasItsHash } from '../../src/cli/audit-trail.ts'
import { auditRowSchema } from '../../src/protocol/audit-views.ts'
import { freeAddresses, remit, remitJson, serve, workingDirectory } from './remit.ts'

const API = 'https://api.example.test'
const REMIT = fileURLToPath(new URL('../../bin/remit.js', import.meta.url))
const rowsSchema = z.array(auditRowSchema)

describe('the audit trail on the command line', async () => {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  const at = ['--url', issuer, '--admin-url', admin_url]
  const components = { agent_id: 'greeter', prompt_template: 'CANARY-prompt', tools: [] }
  await writeFile(join(cwd, 'agent.json'), JSON.stringify(components))
  await writeFile(join(cwd, 'changed.json'), JSON.stringify({ ...components, prompt_template: 'other' }))
  await writeFile(join(cwd, 'resource.json'), JSON.stringify({ resource: API, scopes: [{ name: 'read' }] }))
  const client = {
    client_id: 'app',
    client_name: 'App',
    owner: 'user:local:anna',
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [
      { resource: API, scope: 'read' },
      { resource: issuer, scope: 'generate:intent-token register:intent' },
    ],
  }
  await writeFile(join(cwd, 'client.json'), JSON.stringify(client))
  const server = await serve(cwd, env)
  after(() => server.child.kill('SIGKILL'))

  const asApp = ['--client', 'app', '--secret-file', 'secret']
  const mint = ['token', 'mint', ...asApp, '--key', 'key.json', '--scope', 'read', '--resource', API, '--file']

  test('an owner makes a client and an agent; one mint succeeds, one is refused', async () => {
    const done = async (...args: string[]) => {
      const { code, value, stderr } = await remitJson(cwd, args)
      assert.equal(code, 0, stderr)
      return value
    }
    await done('init', '--owner', 'user:local:anna', ...at)
    await done('resource', 'create', 'resource.json')
    await done('client', 'create', 'client.json', '--secret-file', 'secret')
    await done('agent', 'create', 'agent.json', ...asApp, '--generate-key', 'key.json', '--access', `${API} read`)
    await done(...mint, 'agent.json')
    const refused = await remitJson(cwd, [...mint, 'changed.json'])
    assert.deepEqual([refused.code, refused.value.error], [1, 'agent_checksum_mismatch'])
  })

  test('search finds a refusal by its reason, show gives it whole, explain says what mends it', async () => {
    const search = ['audit', 'search', '--client', 'app', '--agent', 'greeter', '--since', '1h']
    const found = await remitJson(cwd, [...search, '--outcome', 'refused', '--reason', 'agent_checksum_mismatch'])
    const [row, ...others] = rowsSchema.parse(found.value)
    assert.equal(others.length, 0)
    assert.ok(row)
    const shown = await remitJson(cwd, ['audit', 'show', row.id])
    assert.deepEqual(auditRowSchema.parse(shown.value), row)
    const { code, stdout } = await remit(cwd, ['explain', row.request_id])
    assert.equal(code, 0)
    assert.match(stdout, /^outcome +refused: agent_checksum_mismatch$/m)
    assert.match(stdout, /^asked checksum +sha256:[0-9a-f]{64}$/m)
    assert.match(stdout, /^command +remit agent show app greeter$/m)
    assert.match(stdout, new RegExp(`^more +${issuer}/errors/agent_checksum_mismatch$`, 'm'))
    const wrong = await remitJson(cwd, ['audit', 'search', '--since', 'yesterday'])
    assert.deepEqual([wrong.code, wrong.value.error], [2, 'usage'])
    const unknown = await remitJson(cwd, ['explain', `-${'x'.repeat(21)}`])
    assert.deepEqual([unknown.code, unknown.value.error], [1, 'not_found'])
  })

  test('export writes a new file of its owner alone, in order, each row with its hash; "-" goes to standard output', async () => {
    const { code, value, stderr } = await remitJson(cwd, ['audit', 'export', 'trail.jsonl'])
    assert.equal(code, 0, stderr)
    assert.equal((await stat(join(cwd, 'trail.jsonl'))).mode & 0o777, 0o600)
    const text = await readFile(join(cwd, 'trail.jsonl'), 'utf8')
    const rows = text
      .trimEnd()
      .split('\n')
      .map(line => auditRowSchema.parse(JSON.parse(line)))
    assert.deepEqual([value.rows, value.verified, value.mismatches], [rows.length, rows.length, []])
    assert.ok(rows.every(hasItsHash))
    assert.deepEqual(
      rows.map(row => row.id),
      rows.map(row => row.id).sort(),
    )
    assert.equal(rows[0]?.action, 'bootstrap')
    assert.equal(text.includes('CANARY'), false)
    const again = await remitJson(cwd, ['audit', 'export', 'trail.jsonl'])
    assert.deepEqual([again.code, again.value.error], [1, 'file_exists'])
    const piped = await remit(cwd, ['audit', 'export', '-', '--until', rows[2]?.at ?? ''])
    assert.equal(piped.stdout, `${text.split('\n').slice(0, 2).join('\n')}\n`)
    assert.match(piped.stderr, /^verified +2$/m)
  })

  test('tail --follow shows what happens next, one entry a line', { timeout: 60_000 }, async () => {
    const args = [REMIT, 'audit', 'tail', '--follow', '--limit', '1', '--client', 'app', '--json']
    const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`
    const child = spawn(process.execPath, args, { cwd, env: { PATH } })
    after(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async () => auditRowSchema.parse(JSON.parse(String((await lines.next()).value)))
    assert.equal((await next()).outcome, 'refused')
    assert.equal((await remitJson(cwd, [...mint, 'agent.json'])).code, 0)
    const row = await next()
    assert.deepEqual([row.action, row.outcome, row.agent_id], ['token.issue', 'success', 'greeter'])
    child.kill('SIGTERM')
  })
})
