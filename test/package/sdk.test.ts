import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { exportJWK } from 'jose'
import { z } from 'zod'
import { buildSdk } from '../../sdk/build-sdk.ts'
import { foreignImports } from '../../sdk/foreign-imports.ts'
import { packageChecksum } from '../../sdk/package-checksum.ts'
import { insertShimRelease } from '../../src/server/store/shim-releases.ts'
import { startTestApp } from '../support/app.ts'
import { freePorts } from '../support/free-ports.ts'
import { givenAgent, givenClient, givenResource } from '../support/given.ts'
import { answerOf, example, protection, start, withoutProtection } from './examples.ts'
import { bring, installAlone, installedPackages, ROOT, typeCheck } from './installed.ts'

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  exports: z.record(z.string(), z.unknown()),
  dependencies: z.record(z.string(), z.string()),
  peerDependencies: z.record(z.string(), z.string()),
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.literal(true) })),
})

const directory = await mkdtemp(join(tmpdir(), 'remit-sdk-'))
after(() => rm(directory, { recursive: true }))
const built = join(directory, 'built')
const release = await buildSdk(built)
const alone = join(directory, 'alone')
await installAlone(built, alone)
const installed = join(alone, 'node_modules/remit')
const manifest = manifestSchema.parse(JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')))
const subpaths = Object.keys(manifest.exports).filter(name => !name.includes('*') && name !== './package.json')
const modules = subpaths.map(name => name.replace('.', 'remit'))

async function runs(file: string): Promise<string> {
  return (await promisify(execFile)(process.execPath, [file], { cwd: alone, timeout: 180_000 })).stdout
}

test('an empty folder with the package in it has jose and zod and nothing else (architecture.md section 1)', async () => {
  const root = manifestSchema.partial().parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')))
  const { jose, zod } = root.dependencies ?? {}
  assert.deepEqual(manifest.dependencies, { jose, zod })
  assert.deepEqual(Object.keys(manifest.peerDependenciesMeta), Object.keys(manifest.peerDependencies))
  const names = (await installedPackages(alone)).map(name => name.replace(/@[^@]*$/, ''))
  assert.deepEqual(names, ['jose', 'remit', 'zod'])
  const folders = await readdir(join(alone, 'node_modules'))
  assert.deepEqual(folders.filter(name => !name.startsWith('.')).sort(), ['jose', 'remit', 'zod'])
})

test('its declarations hold under the strictest compiler options, and its modules load, without any framework', async () => {
  await bring(alone, '@types')
  const text = ['remit/protocol', 'remit/shim', 'remit/verifier', 'remit/verifier/express', 'remit/verifier/node-http']
    .map((name, at) => `import * as module${at} from '${name}'\nconsole.log(Object.keys(module${at}).length > 0)\n`)
    .join('')
  await writeFile(join(alone, 'bare.ts'), text)
  await typeCheck(alone, { skipLibCheck: false }, 'bare.ts')
  assert.equal(await runs('bare.ts'), 'true\n'.repeat(5))
})

test('every subpath loads beside the framework that it is for, and has its types', async () => {
  await bring(alone, '@types', ...Object.keys(manifest.peerDependencies))
  const text = modules.map((name, at) => `import * as module${at} from '${name}'\nconsole.log(typeof module${at})\n`)
  await writeFile(join(alone, 'every.ts'), text.join(''))
  await typeCheck(alone, { skipLibCheck: true }, 'every.ts')
  assert.equal(await runs('every.ts'), 'object\n'.repeat(modules.length))
})

test('the golden vectors are in it, with what they mean, for other languages (issue 5)', async () => {
  const vectors = await readdir(join(ROOT, 'test/vectors'))
  assert.deepEqual((await readdir(join(installed, 'vectors'))).sort(), ['README.md', ...vectors].sort())
  const readme = await readFile(join(installed, 'vectors/README.md'), 'utf8')
  for (const name of vectors) assert.ok(readme.includes(name), name)
  const text = `import vectors from 'remit/vectors/sequence-hash.json' with { type: 'json' }\nconsole.log(vectors.vectors.length)\n`
  await writeFile(join(alone, 'vectors.ts'), text)
  assert.match(await runs('vectors.ts'), /^[1-9]/)
})

test('the same sources give the same checksum, and the package that was installed still has it (protocol.md section 6)', async () => {
  const again = await buildSdk(join(directory, 'again'))
  assert.deepEqual(again, release)
  assert.equal(await packageChecksum(installed), release.checksum)
  assert.deepEqual(JSON.parse(await readFile(join(installed, 'shim-release.json'), 'utf8')), release)
  await writeFile(join(alone, 'own.ts'), `import { SHIM_CHECKSUM } from 'remit/shim'\nconsole.log(SHIM_CHECKSUM)\n`)
  assert.equal(await runs('own.ts'), `${release.checksum}\n`)
})

test('[attack 90] a changed, added or renamed file is another checksum, also the one that holds it', async () => {
  const changed = join(directory, 'changed')
  await cp(built, changed, { recursive: true })
  await appendFile(join(changed, 'shim-release.json'), '\n')
  assert.equal(await packageChecksum(changed), release.checksum)
  const seen = new Set([release.checksum])
  for (const file of [
    'shim/self-checksum.js',
    'shim/create-agent.js',
    'package.json',
    'shim/added.js',
    'protocol/self-checksum.js',
  ]) {
    await appendFile(join(changed, file), '\n')
    seen.add(await packageChecksum(changed))
  }
  assert.equal(seen.size, 6)
})

test('a file that is no adapter imports jose and zod alone, or the package is not built', async () => {
  const changed = join(directory, 'with-pg')
  await cp(built, changed, { recursive: true })
  await writeFile(join(changed, 'verifier/adapters/other.d.ts'), "import type { Pool } from 'pg'\n")
  assert.ok((await foreignImports(changed)).includes('pg'))
  await writeFile(join(changed, 'verifier/other.d.ts'), "export type Pool = import('pg').Pool\n")
  await assert.rejects(foreignImports(changed), /imports pg/)
})

/** A real server by the clock of this machine, an API's record in it, and an agent made of the example's own prompt. */
async function givenServer(t: TestContext, { resource, prompt }: { resource: string; prompt: string }) {
  const app = await startTestApp()
  const { issuer, clock, ctx } = app
  const ticking = setInterval(() => clock.advance(Math.floor(Date.now() / 1000) - clock.seconds()), 100)
  t.after(() => clearInterval(ticking))
  await givenResource(app, { resource, scopes: [{ name: 'read' }] })
  const access = [
    { resource: issuer, scope: 'generate:intent-token register:intent' },
    { resource, scope: 'read' },
  ]
  const policies = { agent_keys: 'endorsed', default_grant: 'client', shim: 'min_release' }
  const client = await givenClient(app, { access, policies })
  const agent_components = { agent_id: 'reader', prompt_template: prompt, tools: [] }
  await givenAgent(app, client, 'reader', { agent_components, public_key: undefined })
  const row = { ...release, status: 'released', released_at: ctx.now(), released_by: 'test' } as const
  await insertShimRelease(ctx, { ...row, minimum: true, withdrawn_at: null })
  const key = await exportJWK(client.key.privateKey)
  const settings = { issuer, client: { client_id: client.client_id, key }, agent_id: 'reader' }
  return { app, settings: { ...settings, access: [{ resource, scope: ['read'] }] } }
}

test('three lines protect an agent, and three an API: the examples of the README, installed, type-checked and run (issue 5)', async t => {
  const examples = {
    agent: await example('Protect an agent', 'agent.ts'),
    api: await example('Protect an API', 'express-api.ts'),
  }
  for (const [name, source] of Object.entries(examples)) {
    const lines = protection(source)
    assert.ok(lines.length > 0 && lines.length <= 3, `${name}: ${lines.length} lines`)
    await writeFile(join(alone, `${name}.ts`), source)
    await writeFile(join(alone, `plain-${name}.ts`), withoutProtection(source))
  }
  const [API_URL = '', open = ''] = (await freePorts()).map(port => `http://127.0.0.1:${port}`)
  const prompt = /PROMPT = '([^']*)'/.exec(examples.agent)?.[1] ?? ''
  const { app, settings } = await givenServer(t, { resource: API_URL, prompt })
  await writeFile(join(alone, 'remit.json'), JSON.stringify(settings))
  await bring(alone, '@types', 'express')
  await typeCheck(alone, { skipLibCheck: true }, 'agent.ts', 'api.ts', 'plain-agent.ts', 'plain-api.ts')
  const env = { PATH: process.env.PATH, REMIT_ISSUER: app.issuer, API_URL }
  const run = (name: string, more = {}) => start(t, join(alone, `${name}.ts`), { ...env, ...more })

  const bare = await answerOf(`${API_URL}/pages/7`, run('api'))
  assert.equal(bare.status, 401)
  assert.match(bare.headers.get('www-authenticate') ?? '', /^DPoP .*resource_metadata="http/)
  assert.match(await run('plain-agent').said, /^401 /m)
  assert.match(await run('agent').said, /^200 .*7/m)
  // What the lines are worth: without them anybody gets the page.
  assert.equal((await answerOf(`${open}/pages/7`, run('plain-api', { API_URL: open }))).status, 200)
  const { details } = await app.ctx.db
    .selectFrom('audit_event')
    .select('details')
    .where('action', '=', 'token.issue')
    .where('agent_id', '=', 'reader')
    .executeTakeFirstOrThrow()
  assert.deepEqual(details.shim, release)
})
