import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { blockedAt } from '../../src/server/store/embedded-account.ts'
import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'
import { isAlive } from '../../src/server/store/embedded-shutdown.ts'
import { execute } from '../support/test-server.ts'

const HOLDER = join(import.meta.dirname, '../support/embedded-holder.ts')
const NOBODY = { name: 'nobody', uid: 65_534, gid: 65_534 }
const isRoot = process.getuid?.() === 0
const children: ChildProcess[] = []
let base = ''

before(() => {
  base = mkdtempSync(join(tmpdir(), 'remit-pg-'))
  chmodSync(base, 0o711)
})
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(base, { recursive: true })
})

/** A server process on `directory`; `said` is its first line. */
async function startHolder(directory: string, account: { uid?: number; gid?: number } = {}) {
  const child = spawn(process.execPath, [HOLDER, directory], {
    ...account,
    env: {},
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, said: JSON.parse(line) }
}

async function endHolder(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.stdin?.end()
  await ended
}

async function connectsAgain(run: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      if (attempt === 5_000) throw error
    }
  }
}

describe('one holder of a data directory (architecture.md section 1)', () => {
  test('a second server refuses and names the first; a clean stop leaves nothing running', async () => {
    const directory = join(base, 'holder')
    const first = await startHolder(directory)

    const second = await startHolder(directory)
    await endHolder(first.child)

    assert.deepEqual(second.said, {
      refused: `The data directory ${directory} is in use by process ${first.child.pid}: end that server, or give this one another REMIT_DATA_DIR or a DATABASE_URL.`,
    })
    assert.equal(isAlive(first.said.postgres), false)
    assert.equal(existsSync(join(directory, 'server.pid')), false)
    assert.equal(existsSync(join(directory, 'postgres', 'postmaster.pid')), false)
  })

  test('the holder itself cannot open the directory twice', async () => {
    const postgres = await startEmbeddedPostgres(join(base, 'holder'))

    await assert.rejects(startEmbeddedPostgres(join(base, 'holder')), { name: 'StartRefused' })

    await postgres.stop()
  })

  test('after kill -9 of the server the next one stops the orphan and has the data (reliability.md R1)', async () => {
    const directory = join(base, 'holder')
    const { child, said } = await startHolder(directory)
    await execute(said.connection, 'create table witness (id integer)', 'insert into witness values (1)')
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(isAlive(said.postgres), true)

    const heard: string[] = []
    const postgres = await startEmbeddedPostgres(directory, { report: line => heard.push(line) })

    assert.deepEqual(heard, [`stopping Postgres ${said.postgres}, which a killed server left behind`])
    assert.equal(isAlive(said.postgres), false)
    await execute(postgres.connection, 'select 1 / count(*) from witness')
    await postgres.stop()
  })
})

test('after kill -9 of Postgres it is started again with its data (issue 2 item 3)', async () => {
  const heard: string[] = []
  const postgres = await startEmbeddedPostgres(join(base, 'restart'), { report: line => heard.push(line) })
  await execute(postgres.connection, 'create table witness (id integer)', 'insert into witness values (1)')
  const killed = postgres.pid() ?? 0

  process.kill(killed, 'SIGKILL')
  await connectsAgain(() => execute(postgres.connection, 'select 1 / count(*) from witness'))
  await postgres.stop()

  assert.match(heard.join('\n'), new RegExp(`Postgres ${killed} ended unexpectedly, starting it again`))
  assert.equal(postgres.pid(), undefined)
})

test('Postgres listens on no TCP port, and its socket is behind a private directory (architecture.md section 1)', async () => {
  const postgres = await startEmbeddedPostgres(join(base, 'restart'))

  await execute(
    postgres.connection,
    `select 1 / (current_setting('listen_addresses') = '' and current_setting('fsync') = 'on')::integer`,
  )
  const { mode, uid } = statSync(postgres.socketDir)
  await postgres.stop()

  assert.equal(mode & 0o777, 0o700)
  assert.equal(uid === 0, false)
})

test('a path too long for a socket moves the socket, and nothing stays behind', async () => {
  const directory = join(base, 'long'.repeat(30))

  const postgres = await startEmbeddedPostgres(directory)
  const { mode } = statSync(postgres.socketDir)
  await postgres.stop()

  assert.equal(postgres.socketDir.startsWith(directory), false)
  assert.equal(mode & 0o777, 0o700)
  assert.equal(existsSync(postgres.socketDir), false)
})

test('a pid file whose number is another process by now does not keep Postgres from starting', async context => {
  if (isRoot && (await blockedAt(HOLDER, NOBODY))) return context.skip('the checkout is closed to nobody')
  const account = isRoot ? { uid: NOBODY.uid, gid: NOBODY.gid } : {}
  const directory = mkdtempSync(join(base, 'reused-'))
  if (isRoot) chownSync(directory, NOBODY.uid, NOBODY.gid)
  const first = await startHolder(directory, account)
  await endHolder(first.child)
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], account)
  children.push(stranger)
  const pidFile = join(directory, 'postgres', 'postmaster.pid')
  writeFileSync(pidFile, `${stranger.pid}\n${join(directory, 'postgres')}\n`)
  if (isRoot) chownSync(pidFile, NOBODY.uid, NOBODY.gid)

  const second = await startHolder(directory, account)
  await endHolder(second.child)

  assert.ok(second.said.postgres)
  assert.equal(isAlive(stranger.pid ?? 0), true)
})

describe('started by root', { skip: !isRoot }, () => {
  test('a plain user needs nothing of root, and what he made root runs under his account', async context => {
    if (await blockedAt(HOLDER, NOBODY)) return context.skip('the checkout is closed to nobody')
    const directory = mkdtempSync(join(base, 'plain-'))
    chownSync(directory, NOBODY.uid, NOBODY.gid)

    const plain = await startHolder(directory, { uid: NOBODY.uid, gid: NOBODY.gid })
    await endHolder(plain.child)
    const postgres = await startEmbeddedPostgres(directory)
    const owner = statSync(`/proc/${postgres.pid()}`).uid
    await postgres.stop()

    assert.ok(plain.said.postgres)
    assert.equal(owner, NOBODY.uid)
  })

  test('a directory that the account may not pass is refused with the mend', async () => {
    const closed = join(base, 'closed')
    mkdirSync(closed, { mode: 0o700 })

    await assert.rejects(startEmbeddedPostgres(join(closed, 'data')), (error: Error) => {
      assert.match(
        error.message,
        /^Started by root, Postgres runs as \w+, which may not pass .*closed: set REMIT_DATA_DIR /,
      )
      return true
    })
    assert.deepEqual(readdirSync(join(closed, 'data')), ['server.lock'])
  })

  test('another user is told whose database it is', async context => {
    if (await blockedAt(HOLDER, NOBODY)) return context.skip('the checkout is closed to nobody')
    const { said } = await startHolder(join(base, 'restart'), { uid: NOBODY.uid, gid: NOBODY.gid })

    assert.match(said.refused, /cannot be locked by this user/)
  })
})
