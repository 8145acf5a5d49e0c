import { connect } from 'node:net'

/** Hears the body of an answer of status 200, or why there is none. */
export type Heard = (error: Error | undefined, body: Buffer) => void

/** One HTTP/1.1 keep-alive connection: the next request goes out when the answer before it is complete. */
export type Connection = { readonly send: (request: Buffer, heard: Heard) => void; readonly close: () => void }

const NOTHING = Buffer.alloc(0)
const HEAD_END = '\r\n\r\n'
const GOOD = 'HTTP/1.1 200 '

/** Connects to a server of this machine. What is no answer of 200 with a Content-Length is told as an error. */
export async function openConnection(origin: string): Promise<Connection> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  let waiting: Heard | undefined
  let received: Buffer = NOTHING
  const tell = (error: Error | undefined, body: Buffer) => {
    const heard = waiting
    waiting = undefined
    received = NOTHING
    heard?.(error, body)
  }
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.on('error', error => tell(error, NOTHING))
  socket.on('close', () => tell(new Error('The server closed the connection.'), NOTHING))
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    try {
      const body = bodyOf(received)
      if (body) tell(undefined, body)
    } catch (error) {
      tell(error instanceof Error ? error : new Error(String(error)), NOTHING)
      socket.destroy()
    }
  })
  return {
    send(request, heard) {
      if (waiting) throw new Error('The answer before has not come yet.')
      waiting = heard
      if (socket.destroyed) tell(new Error('The server closed the connection.'), NOTHING)
      else socket.write(request)
    },
    close() {
      waiting = undefined
      socket.destroy()
    },
  }
}

/** Undefined while there is more to come. Throws for what is not a good answer. */
function bodyOf(received: Buffer): Buffer | undefined {
  const end = received.indexOf(HEAD_END)
  if (end === -1) return undefined
  const head = received.toString('latin1', 0, end)
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? []
  if (!head.startsWith(GOOD)) {
    throw new Error(`The server answered ${head.slice(9, 12)} ${received.toString('utf8', end + 4, end + 304)}`)
  }
  if (length === undefined) throw new Error('The answer has no Content-Length.')
  const start = end + HEAD_END.length
  const missing = start + Number(length) - received.length
  if (missing < 0) throw new Error('There is more than one answer.')
  return missing > 0 ? undefined : received.subarray(start)
}
