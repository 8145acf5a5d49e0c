import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Connection } from '../../src/server/store/database.ts'

/** A way to a database that can be frozen: connections stay open, and nothing passes. */
export type TcpRelay = {
  readonly url: string
  readonly freeze: () => void
  readonly thaw: () => void
  readonly close: () => Promise<void>
}

export async function startRelay(connection: Connection): Promise<TcpRelay> {
  const target = targetOf(connection)
  const sockets = new Set<Socket>()
  let frozen = false
  const server = createServer(near => {
    const far = connect(target.address)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.on('error', () => one.destroy())
      one.on('data', chunk => other.write(chunk))
      if (frozen) one.pause()
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `postgresql://${target.login}@127.0.0.1:${port}/${target.database}`,
    freeze() {
      frozen = true
      for (const socket of sockets) socket.pause()
    },
    thaw() {
      frozen = false
      for (const socket of sockets) socket.resume()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function targetOf(connection: Connection) {
  if ('connectionString' in connection) {
    const { username, password, hostname, port, pathname } = new URL(connection.connectionString)
    const login = password === '' ? username : `${username}:${password}`
    return { address: { host: hostname, port: Number(port || 5432) }, login, database: pathname.slice(1) }
  }
  const { host, port, user, database } = connection
  return { address: { path: join(host, `.s.PGSQL.${port}`) }, login: user, database }
}
