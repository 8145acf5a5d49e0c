import type { Server } from 'node:http'
import type { Defer } from '../demo/remit-server.ts'

/** Longer than any run: no connection ends just when somebody sends on it. */
const KEPT_ALIVE_MS = 10 * 60_000

/** Lets a server listen on a free loopback port until the end. @returns its origin */
export async function listen(server: Server, defer: Defer): Promise<string> {
  server.keepAliveTimeout = KEPT_ALIVE_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  defer(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
}
