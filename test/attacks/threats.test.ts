import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { resultOf, type Tried } from '../../attacks/judge.ts'

const ATTACKS = fileURLToPath(new URL('../../attacks/run.ts', import.meta.url))
/** More than the run gives itself, so that it says what took too long. */
const BOUND = { timeout: 300_000 }

/** What Remit does to each threat, by the attacker's power. Plain OAuth stops none of them. */
const TABLE = {
  T1: { s: 'blocked', c: 'limited' },
  T2: { n: 'blocked', s: 'blocked', c: 'limited' },
  T3: { s: 'blocked', c: 'limited' },
  T4: { m: 'blocked', c: 'limited' },
  T5: { m: 'blocked' },
  T6: { s: 'blocked', c: 'blocked' },
  T7: { m: 'blocked', c: 'limited' },
  T8: { m: 'blocked', s: 'blocked', c: 'blocked' },
  T9: { m: 'blocked', n: 'blocked', s: 'blocked' },
  T10: { m: 'blocked', n: 'blocked', s: 'blocked' },
  T11: { m: 'blocked', s: 'blocked' },
  T12: { m: 'blocked', s: 'blocked', c: 'limited' },
}

const answerSchema = z.strictObject({
  ok: z.boolean(),
  threats: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      power: z.enum(['m', 'n', 's', 'c']),
      plain_oauth: z.enum(['succeeds', 'blocked']),
      remit: z.enum(['blocked', 'limited', 'succeeds']),
      how: z.string(),
    }),
  ),
  rows: z.array(z.strictObject({ n: z.int(), blocked: z.boolean() })),
})

// Slow: it starts a server with a Postgres of its own.
test(
  'of the twelve threats none succeeds under m, n or s, and c is bounded where it succeeds (issue 5, deliver 6)',
  BOUND,
  async t => {
    const { cwd, tmp } = await workingPlace(t)

    const { code, stdout } = await run(t, cwd, tmp)

    const { ok, threats, rows } = answerSchema.parse(JSON.parse(stdout))
    const open = threats
      .filter(({ how }) => how.startsWith('NOT AS IT MUST BE'))
      .map(({ id, power, how }) => [id, power, how])
    assert.deepEqual(open, [])
    const seen = Object.entries(TABLE).map(([id]) => {
      const ofThreat = threats.filter(threat => threat.id === id)
      return [id, Object.fromEntries(ofThreat.map(({ power, remit }) => [power, remit]))]
    })
    assert.deepEqual(Object.fromEntries(seen), TABLE)
    assert.equal(threats.length, Object.values(TABLE).flatMap(Object.keys).length)
    assert.deepEqual(new Set(threats.map(threat => threat.plain_oauth)), new Set(['succeeds']))
    assert.deepEqual([code, ok, rows], [0, true, []])
    const report = await readFile(join(cwd, 'attacks-report.html'), 'utf8')
    assert.doesNotMatch(report, /<script|<link|<img| src=|href="[^#]|url\(|@import/)
    assert.deepEqual(await readdir(tmp), [])
  },
)

test('what succeeds is called limited only under c, and only where every bound was tried and held', () => {
  const got = tried({ got: true })
  const refused = tried({ got: false })
  const held = tried({ got: false, expected: '403 no', answer: '403 no' })
  const gaveWay = tried({ got: true, expected: '403 no', answer: '200' })
  const heldElse = tried({ got: false, expected: '403 no', answer: '500' })

  assert.equal(resultOf('c', [refused], []), 'blocked')
  assert.equal(resultOf('c', [refused, got], [held]), 'limited')
  assert.equal(resultOf('c', [got], []), 'succeeds')
  assert.equal(resultOf('c', [got], [held, gaveWay]), 'succeeds')
  assert.equal(resultOf('c', [got], [heldElse]), 'succeeds')
  for (const power of ['m', 'n', 's'] as const) assert.equal(resultOf(power, [got], [held]), 'succeeds')
})

function tried(of: Partial<Tried>): Tried {
  return { what: 'Something', got: false, answer: '', expected: undefined, ...of }
}

async function workingPlace(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'attacks-'))
  t.after(() => rm(directory, { recursive: true }))
  const [cwd, tmp] = [join(directory, 'cwd'), join(directory, 'tmp')]
  await mkdir(cwd)
  await mkdir(tmp)
  // Started by root, Postgres runs under another account, which must be able to pass.
  await chmod(directory, 0o711)
  return { cwd, tmp }
}

async function run(t: TestContext, cwd: string, tmp: string): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [ATTACKS, '--json', '--no-rows'], { cwd, env: { ...process.env, TMPDIR: tmp } })
  t.after(() => child.kill('SIGTERM'))
  child.stderr.resume()
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  const chunks = await child.stdout.setEncoding('utf8').toArray()
  return { code: await ended, stdout: chunks.join('') }
}
