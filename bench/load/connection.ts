import { connect, type Socket } from 'node:net'

/** Hears the body of an answer of status 200, or why there is none. */
export type Heard = (error: Error | undefined, body: Buffer) => void

/** One HTTP/1.1 keep-alive connection: the next request goes out when the answer before it is complete. */
export type Connection = { readonly send: (request: Buffer, heard: Heard) => void; readonly close: () => void }

const NOTHING = Buffer.alloc(0)
const HEAD_END = '\r\n\r\n'
const GOOD = 'HTTP/1.1 200 '

/**
 * Connects to a server of this machine. What is no answer of 200 with a Content-Length is told as an error. Where a
 * server announces that it closes, the next request has a new connection.
 */
export async function openConnection(origin: string): Promise<Connection> {
  const { hostname, port } = new URL(origin)
  let waiting: Heard | undefined
  let received: Buffer = NOTHING
  let socket: Socket | undefined = await open()

  async function open(): Promise<Socket> {
    const opened = connect({ host: hostname, port: Number(port), noDelay: true })
    await new Promise<void>((resolve, reject) => opened.once('connect', resolve).once('error', reject))
    opened.on('error', error => lose(opened, error))
    opened.on('close', () => lose(opened, new Error('The server closed the connection.')))
    opened.on('data', hear)
    return opened
  }

  function lose(lost: Socket, error: Error): void {
    if (lost === socket) tell(error)
  }

  function tell(error: Error | undefined, body: Buffer = NOTHING): void {
    const heard = waiting
    waiting = undefined
    received = NOTHING
    heard?.(error, body)
  }

  function hear(chunk: Buffer): void {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    try {
      const answer = readAnswer(received)
      if (!answer) return
      if (answer.isLast) drop()
      tell(undefined, answer.body)
    } catch (error) {
      socket?.destroy()
      tell(error instanceof Error ? error : new Error(String(error)))
    }
  }

  function drop(): void {
    const dropped = socket
    socket = undefined
    dropped?.destroy()
  }

  async function reopen(request: Buffer): Promise<void> {
    socket = await open()
    socket.write(request)
  }

  return {
    send(request, heard) {
      waiting = heard
      if (!socket) reopen(request).catch(error => tell(error))
      else if (socket.destroyed) tell(new Error('The server closed the connection.'))
      else socket.write(request)
    },
    close() {
      waiting = undefined
      drop()
    },
  }
}

/** Undefined while there is more to come. Throws for what is not a good answer. */
function readAnswer(received: Buffer): { body: Buffer; isLast: boolean } | undefined {
  const end = received.indexOf(HEAD_END)
  if (end === -1) return undefined
  const head = received.toString('latin1', 0, end)
  if (!head.startsWith(GOOD)) {
    throw new Error(`The server answered ${head.slice(9, 12)} ${received.toString('utf8', end + 4, end + 304)}`)
  }
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? []
  if (length === undefined) throw new Error('The answer has no Content-Length.')
  const start = end + HEAD_END.length
  const missing = start + Number(length) - received.length
  if (missing < 0) throw new Error('There is more than one answer.')
  if (missing > 0) return undefined
  return { body: received.subarray(start), isLast: /\r\nconnection: *close/i.test(head) }
}
