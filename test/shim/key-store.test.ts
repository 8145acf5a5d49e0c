import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { OAuthError } from '../../src/protocol/errors.ts'
import { fileKeyStore } from '../../src/shim/file-key-store.ts'
import { memoryKeyStore } from '../../src/shim/memory-key-store.ts'

async function newKey(): Promise<JWK> {
  return await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'remit-keys-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

function refused(reason: string, sentence: RegExp) {
  return (error: unknown) => error instanceof OAuthError && error.reason === reason && sentence.test(error.message)
}

test('a key file is made with mode 0600 and gives back the key; before that there is none (architecture.md rule 7)', async t => {
  const path = join(await directory(t), 'agent.jwk')
  const store = fileKeyStore(path)
  assert.equal(await store.load(), undefined)
  const key = await newKey()
  const umask = process.umask(0)
  await store.save(key).finally(() => process.umask(umask))
  assert.equal((await stat(path)).mode & 0o7777, 0o600)
  assert.deepEqual(await store.load(), key)
})

test('a key that is there is never replaced, and nothing is left beside it', async t => {
  const folder = await directory(t)
  const store = fileKeyStore(join(folder, 'agent.jwk'))
  const first = await newKey()
  await store.save(first)
  await store.save(await newKey())
  assert.deepEqual(await store.load(), first)
  assert.deepEqual(await readdir(folder), ['agent.jwk'])
})

test('a file that group or others can use is refused, with its mode and what to type', async t => {
  const path = join(await directory(t), 'agent.jwk')
  const store = fileKeyStore(path)
  await store.save(await newKey())
  for (const mode of [0o640, 0o604, 0o620, 0o610, 0o666]) {
    await chmod(path, mode)
    const sentence = new RegExp(`mode 0${mode.toString(8)}.*chmod 600 ${path}`)
    await assert.rejects(store.load(), refused('key_file_mode', sentence))
  }
  await chmod(path, 0o400)
  assert.ok(await store.load())
})

test('a symbolic link is not followed, neither to load nor to save', async t => {
  const folder = await directory(t)
  const target = join(folder, 'target.jwk')
  const link = join(folder, 'agent.jwk')
  await fileKeyStore(target).save(await newKey())
  const before = await readFile(target, 'utf8')
  await symlink(target, link)
  await assert.rejects(fileKeyStore(link).load(), refused('key_file_link', /symbolic link/))
  await fileKeyStore(link).save(await newKey())
  assert.equal(await readFile(target, 'utf8'), before)
})

test('what is no private JWK is refused, and so are a directory and a pipe', async t => {
  const folder = await directory(t)
  const path = join(folder, 'agent.jwk')
  const { d, ...publicPart } = await newKey()
  for (const text of [
    '[]',
    '{"kty":"EC"}',
    JSON.stringify(publicPart),
    JSON.stringify({ ...publicPart, d, pad: 'x'.repeat(20_000) }),
  ]) {
    await writeFile(path, text, { mode: 0o600 })
    await assert.rejects(fileKeyStore(path).load(), refused('key_file', /key store/), text.slice(0, 40))
  }
  const pipe = join(folder, 'pipe')
  await promisify(execFile)('mkfifo', ['-m', '600', pipe])
  await assert.rejects(fileKeyStore(pipe).load(), refused('key_file', /no key file/))
  await assert.rejects(fileKeyStore(folder).load(), refused('key_file', /no key file/))
})

test('processes that make a key at once end with one, and none reads half of it', async t => {
  const path = join(await directory(t), 'agent.jwk')
  const store = JSON.stringify(import.meta.resolve('../../src/shim/file-key-store.ts'))
  const code = `
    import { fileKeyStore } from ${store}
    import { generateKeyPairSync } from 'node:crypto'
    const keys = fileKeyStore(process.argv[1])
    if (await keys.load() === undefined) {
      await keys.save(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }))
    }
    process.stdout.write(JSON.stringify(await keys.load()))`
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code, path])
  const answers = await Promise.all([run(), run(), run(), run()])
  assert.equal(new Set(answers.map(({ stdout }) => stdout)).size, 1)
  assert.deepEqual(await fileKeyStore(path).load(), JSON.parse(answers[0].stdout))
})

test('within one process many savers end with one key too', async t => {
  const store = fileKeyStore(join(await directory(t), 'agent.jwk'))
  const keys = await Promise.all(
    Array.from({ length: 20 }, async () => {
      await store.save(await newKey())
      return JSON.stringify(await store.load())
    }),
  )
  assert.equal(new Set(keys).size, 1)
})

test('a key store in memory keeps its first key', async () => {
  const [first, second] = await Promise.all([newKey(), newKey()])
  const store = memoryKeyStore()
  assert.equal(await store.load(), undefined)
  await store.save(first)
  await store.save(second)
  assert.equal(await store.load(), first)
  assert.equal(await memoryKeyStore(second).load(), second)
})
