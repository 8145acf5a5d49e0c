import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import pino from 'pino'
import { loadConfig } from '../src/server/config.ts'
import { startServer } from '../src/server/main.ts'
import { StartRefused } from '../src/server/store/start-refused.ts'
import { freePorts } from './support/free-ports.ts'

async function given() {
  const directory = await mkdtemp(join(tmpdir(), 'remit-main-'))
  const [port, adminPort] = await freePorts()
  const config = loadConfig({
    NODE_ENV: 'test',
    REMIT_PORT: String(port),
    REMIT_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    REMIT_DATA_DIR: directory,
  })
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  return { config, log, lines, remove: () => rm(directory, { recursive: true }) }
}

test('a server starts on its own Postgres, serves, stops in order, and keeps its keys (architecture.md section 2)', async () => {
  const { config, log, lines, remove } = await given()
  const keys = async () => (await fetch(`${config.issuer}/.well-known/jwks.json`)).text()
  const kids = (jwks: string) => [...jwks.matchAll(/"kid":"[^"]+"/g)].map(([kid]) => kid)
  const first = await startServer(config, log)
  assert.equal((await fetch(`${config.issuer}/readyz`)).status, 200)
  assert.equal((await fetch(`${config.adminUrl}/metrics`)).status, 200)
  const published = await keys()
  await Promise.all([first.stop(), first.stop()])
  await assert.rejects(fetch(`${config.issuer}/healthz`))

  const second = await startServer(config, log)
  // The ones that are to follow may have come meanwhile.
  const again = kids(await keys())
  assert.ok(kids(published).length >= 4 && kids(published).every(kid => again.includes(kid)))
  await second.stop()
  assert.deepEqual(
    lines.filter(line => JSON.parse(line).level >= 40),
    [],
  )
  await remove()
})

test('a start that fails stops what it had started', async () => {
  const { config, log, remove } = await given()
  const running = await startServer(config, log)
  await assert.rejects(startServer(config, log), StartRefused)
  assert.equal((await fetch(`${config.issuer}/readyz`)).status, 200)
  await running.stop()
  const again = await startServer(config, log)
  await again.stop()
  await remove()
})
