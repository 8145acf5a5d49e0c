import { connect } from 'node:net'

export type RawAnswer = {
  readonly status: number
  readonly headers: string
  readonly body: string
  readonly answers: number
}

/** Sends bytes as they are, and reads until the server closes or `quiet` milliseconds pass. For what no client sends. */
export async function rawRequest(url: string, text: string, quiet = 1500): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const chunks: Buffer[] = []
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text))
  const finish = () => resolve(Buffer.concat(chunks).toString('utf8'))
  socket.setTimeout(quiet, () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if (isComplete(Buffer.concat(chunks).toString('latin1'))) socket.end()
  })
  // A server that refuses early resets what it has not read; what it said before counts.
  socket.on('error', error => (chunks.length > 0 ? finish() : reject(error)))
  socket.on('close', finish)
  const answer = await promise
  const [headers = '', ...rest] = answer.split('\r\n\r\n')
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0),
    headers,
    body: rest.join('\r\n\r\n'),
    answers: answer.split(/HTTP\/1\.1 \d{3} /).length - 1,
  }
}

function isComplete(answer: string): boolean {
  const at = answer.indexOf('\r\n\r\n')
  const length = /\r\ncontent-length: (\d+)/i.exec(answer.slice(0, at))?.[1]
  return at !== -1 && length !== undefined && answer.length >= at + 4 + Number(length)
}
