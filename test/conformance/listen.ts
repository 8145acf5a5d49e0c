import type { RequestListener } from 'node:http'
import { createServer } from 'node:http'
import { after } from 'node:test'

/** Serves on a loopback port until the test file ends; returns the base URL. */
export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.')
  return `http://127.0.0.1:${address.port}`
}
