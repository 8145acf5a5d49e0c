import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freeAddresses, type Result, remit, remitJson, serve, workingDirectory } from './remit.ts'

/* One server with three owners, on which the ten jobs of docs/administration.md are done: by command, and in the console. */

const API = 'https://api.example.test'
const PAGE = new URL('../../docs/administration.md', import.meta.url)
/** What an agent's prompt is, by the name of its file. */
const PROMPTS = {
  one: 'Say hello.',
  two: 'Say hello, and who you are.',
  three: 'Say nothing.',
  four: 'Shout.',
} as const
export type Prompt = keyof typeof PROMPTS
export type Owner = 'anna' | 'ben' | 'eve'

/** The counted steps of job 1 to 10, as the table of the page has them. */
export function countsOf(column: 'Commands' | 'Actions'): readonly number[] {
  const rows = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter(line => line.startsWith('| '))
    .map(line => line.split(' | ').map(cell => cell.replace(/^\| | \|$/g, '').trim()))
  const at = rows.find(cells => cells[1] === 'Job')?.indexOf(column) ?? -1
  assert.ok(at > 0, `the page has a column ${column}`)
  const counts = rows.filter(([number]) => /^\d+$/.test(number ?? '')).map(cells => Number(cells[at]))
  assert.deepEqual([counts.length, counts.every(count => count > 0)], [10, true])
  return counts
}

/**
 * A client `shop` of Anna's with policy `require_approval`; its agents `greeter`, `clerk` and `scanner`, each with one
 * version that counts; its workflow `patch`, whose step `apply` waits for a person. Ben and Eve are administrators too.
 */
export async function givenTenJobs() {
  const cwd = await workingDirectory()
  const { env, issuer, admin_url } = await freeAddresses()
  await serve(cwd, env)
  const profiles = { anna: [], ben: ['--profile', 'ben.json'], eve: ['--profile', 'eve.json'] } as const
  const asShop = ['--client', 'shop', '--secret-file', 'secret']

  /** The answer of a command that must be done. */
  async function done(...args: readonly string[]) {
    const { code, value, stderr } = await remitJson(cwd, args)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    return value
  }
  /** The same as one of the owners. */
  const by = (owner: Owner, ...args: readonly string[]) => done(...args, ...profiles[owner])
  /** What a person would read. */
  const text = (owner: Owner, ...args: readonly string[]): Promise<Result> => remit(cwd, [...args, ...profiles[owner]])

  async function register(agent_id: string, prompt: Prompt, ...more: readonly string[]) {
    return await done('agent', 'create', fileOf(agent_id, prompt), ...asShop, ...more)
  }
  /** A mint by an agent that is as its file says, with the key of its name unless told. */
  async function mint(agent_id: string, prompt: Prompt, more: readonly string[] = [], key = `${agent_id}.key`) {
    const asked = ['--file', fileOf(agent_id, prompt), '--key', key, '--resource', API, '--scope', 'read']
    return await remitJson(cwd, ['token', 'mint', ...asShop, ...asked, ...more])
  }
  /** A mint that must give a token. */
  async function minted(...asked: Parameters<typeof mint>): Promise<string> {
    const { code, value, stderr } = await mint(...asked)
    assert.equal(code, 0, stderr)
    return String(value.access_token)
  }
  /** A mint that must be refused. @returns the code of the refusal and the id of the request */
  async function refused(...asked: Parameters<typeof mint>) {
    const { code, value } = await mint(...asked)
    assert.equal(code, 1, 'it is refused')
    return { error: String(value.error), request_id: String(value.request_id) }
  }
  /** Whether introspection calls a token active. */
  async function active(token: string): Promise<unknown> {
    return (await done('token', 'introspect', token, ...asShop)).active
  }
  /** Status of the versions of an agent, newest first, as `remit agent show` says it. */
  async function versions(agent_id: string): Promise<readonly string[]> {
    const { stdout } = await text('ben', 'agent', 'show', 'shop', agent_id)
    const rows = stdout.slice(stdout.indexOf('\nVersions\n')).split('\n').slice(3)
    return rows.filter(row => row !== '').map(row => row.split(/ {2,}/).slice(0, 2).join(' '))
  }

  const client = {
    ...{ client_id: 'shop', client_name: 'Shop', owner: 'user:local:anna', kind: 'app' },
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [
      { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
      { resource: API, scope: 'read' },
    ],
    policies: { require_approval: true, default_grant: 'client' },
  }
  const gate = { step_id: 'check', approval_gate: true, required: true }
  const apply = { step_id: 'apply', agent_id: 'scanner' }
  const flow = (steps: readonly object[]) => JSON.stringify({ workflow_id: 'patch', steps })
  const files: Record<string, string> = {
    'client.json': JSON.stringify(client),
    'api.json': JSON.stringify({ resource: API, scopes: [{ name: 'read' }] }),
    'patch.json': flow([gate, { ...apply, requires_approval: true }]),
    'patch-looser.json': flow([apply]),
  }
  for (const agent_id of ['greeter', 'clerk', 'scanner']) {
    for (const [prompt, prompt_template] of Object.entries(PROMPTS)) {
      files[fileOf(agent_id, prompt)] = JSON.stringify({ agent_id, prompt_template, tools: [] })
    }
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content)
  await done('init', '--owner', 'user:local:anna', '--url', issuer, '--admin-url', admin_url)
  for (const owner of ['ben', 'eve']) {
    await done('admin', 'add', '--owner', `user:local:${owner}`, '--profile-out', `${owner}.json`)
  }
  await done('resource', 'create', 'api.json')
  await done('client', 'create', 'client.json', '--secret-file', 'secret')
  for (const agent_id of ['greeter', 'clerk', 'scanner']) {
    const { registration_id, checksum } = await register(agent_id, 'one', '--generate-key', `${agent_id}.key`)
    await by('ben', 'agent', 'approve', 'shop', agent_id, '--registration', registration_id, '--checksum', checksum)
  }
  await done('workflow', 'create', 'patch.json', ...asShop)
  const loosen = () => done('workflow', 'create', 'patch-looser.json', ...asShop)
  const read = async (file: string) => (await readFile(join(cwd, file), 'utf8')).trim()
  const write = (file: string, content: string) => writeFile(join(cwd, file), content)
  return { cwd, admin_url, by, done, text, register, mint, minted, refused, active, versions, loosen, read, write }
}
export type TenJobs = Awaited<ReturnType<typeof givenTenJobs>>

function fileOf(agent_id: string, prompt: string): string {
  return `${agent_id}-${prompt}.json`
}

/** The `jti` of a token. */
export function jtiOf(token: string): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
  return typeof claims === 'object' && claims !== null && 'jti' in claims ? String(claims.jti) : ''
}
