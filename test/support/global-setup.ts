import { startTestServer } from './test-server.ts'

let stop: (() => Promise<void>) | undefined

/** `node --test --test-global-setup`: one Postgres for the whole run; test processes inherit the variable. */
export async function globalSetup(): Promise<void> {
  const started = await startTestServer()
  stop = started.stop
  process.env.TEST_DATABASE_SERVER = JSON.stringify(started.server)
}

export async function globalTeardown(): Promise<void> {
  await stop?.()
}
