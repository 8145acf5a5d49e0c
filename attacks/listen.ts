import type { Server } from 'node:http'
import type { Defer } from '../demo/remit-server.ts'

/** Lets a server listen on a free loopback port, or on the one of `url`, until the end. @returns its origin */
export async function listen(server: Server, defer: Defer, url?: string): Promise<string> {
  const port = url === undefined ? 0 : Number(new URL(url).port)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  defer(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
}
