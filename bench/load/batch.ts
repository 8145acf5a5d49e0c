/** Requests of one kind, ready to be sent; `mark` stands in every good answer. */
export type Batch = { readonly requests: readonly Buffer[]; readonly mark: string }

/** What was seen of one batch: milliseconds from the sending (or the planned time) of each request to its answer. */
export type Load = { readonly elapsed: number; readonly latencies: Float64Array }

/** The bytes of one HTTP/1.1 request. */
export function rawRequest(
  method: 'GET' | 'POST',
  url: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Buffer {
  const { host, pathname } = new URL(url)
  const all = { Host: host, ...headers, ...(method === 'POST' && { 'Content-Length': Buffer.byteLength(body) }) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}
