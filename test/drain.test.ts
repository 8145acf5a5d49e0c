import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import pino from 'pino'
import { loadConfig } from '../src/server/config.ts'
import { startServer } from '../src/server/main.ts'
import { createTestDatabase } from './support/database.ts'
import { databaseUrl } from './support/database-url.ts'
import { freePorts } from './support/free-ports.ts'
import { freshRequest, oneConnection } from './support/fresh-request.ts'

async function given() {
  const directory = await mkdtemp(join(tmpdir(), 'remit-drain-'))
  const database = await createTestDatabase()
  const [port = 0, adminPort] = await freePorts()
  after(async () => {
    await database.drop()
    await rm(directory, { recursive: true })
  })
  const config = loadConfig({
    NODE_ENV: 'test',
    REMIT_PORT: String(port),
    REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    REMIT_DATA_DIR: directory,
    REMIT_DRAIN_SECONDS: '1',
    DATABASE_URL: databaseUrl(database.connection),
  })
  return { config, port, host: new URL(config.issuer).host }
}

/** A connection on which only the beginning of a request was sent. */
async function begun(port: number, text: string): Promise<{ finish: (rest: string) => Promise<string> }> {
  const socket: Socket = connect({ host: '127.0.0.1', port })
  await new Promise<void>(resolve => socket.write(text, () => resolve()))
  return {
    async finish(rest) {
      let answer = ''
      socket.setEncoding('utf8').on('data', chunk => {
        answer += chunk
      })
      const closed = new Promise<void>((resolve, reject) => socket.once('error', reject).once('close', () => resolve()))
      socket.write(rest)
      await closed
      return answer
    },
  }
}

test('a stop says "not ready" and ends connections first, then finishes what is under way, then closes the database (R7)', async () => {
  const { config, port, host } = await given()
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
  const server = await startServer(config, log)
  const kept = oneConnection()
  const before = await freshRequest(`${config.issuer}/healthz`, {}, kept)
  assert.equal(before.headers.connection, 'keep-alive')
  const form = 'grant_type=client_credentials&scope=read&client_id=nobody&client_secret=wrong'
  const head = `Host: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n`
  const slowBody = await begun(port, `POST /oauth/token HTTP/1.1\r\n${head}${form.slice(0, 9)}`)
  const slowHead = await begun(port, 'GET /readyz HTTP/1.1\r\n')
  const silent = connect({ host: '127.0.0.1', port })
  const silentEnded = new Promise(resolve => silent.once('close', resolve))

  const stopped = server.stop()
  // For as long as load balancers need to see it, the node still serves whoever comes.
  const ready = await freshRequest(`${config.issuer}/readyz`)
  assert.equal(ready.status, 503)
  const { accepting, database } = JSON.parse(ready.body).checks
  assert.deepEqual([accepting, database], [false, true])
  const last = await freshRequest(`${config.issuer}/healthz`, {}, kept)
  assert.deepEqual([last.status, last.headers.connection], [200, 'close'])

  while (await freshRequest(`${config.issuer}/healthz`).catch(() => undefined));
  const closedAt = performance.now()
  // Their connections were open before the listener closed: both are answered, with the database.
  const answers = [await slowBody.finish(form.slice(9)), await slowHead.finish(`Host: ${host}\r\n\r\n`)]
  assert.match(answers[0] ?? '', /^HTTP\/1\.1 401 [\s\S]*connection: close[\s\S]*"invalid_client"/i)
  assert.match(answers[1] ?? '', /^HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*"accepting":false.*"database":true/i)
  // Opened ahead of need, as balancers and browsers do: nobody waits for its first request.
  await silentEnded
  await stopped
  assert.ok(performance.now() - closedAt < 8_000)
  kept.destroy()
  assert.deepEqual(lines, [])
})
