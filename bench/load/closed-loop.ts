import type { Batch, Load } from './batch.ts'
import { type Connection, openConnection } from './connection.ts'

/** Connections of every load in this bench. */
export const CONNECTIONS = 32

export async function openConnections(origin: string, count = CONNECTIONS): Promise<readonly Connection[]> {
  return await Promise.all(Array.from({ length: count }, () => openConnection(origin)))
}

/**
 * Sends the whole batch over these connections, each of them always busy. Throws at the first answer that is not 200 or
 * does not have the mark. `keep` hears every body.
 */
export async function closedLoop(
  connections: readonly Connection[],
  { requests, mark }: Batch,
  keep?: (body: Buffer) => void,
): Promise<Load> {
  const latencies = new Float64Array(requests.length)
  let next = 0
  const began = performance.now()
  await Promise.all(
    connections.map(
      ({ send }) =>
        new Promise<void>((resolve, reject) => {
          const go = () => {
            const index = next
            const request = requests[index]
            if (!request) return resolve()
            next += 1
            const sent = performance.now()
            send(request, (error, body) => {
              latencies[index] = performance.now() - sent
              if (error) return reject(error)
              if (!body.includes(mark)) return reject(new Error(`An answer of 200 has no ${mark}.`))
              keep?.(body)
              go()
            })
          }
          go()
        }),
    ),
  )
  return { elapsed: performance.now() - began, latencies }
}
