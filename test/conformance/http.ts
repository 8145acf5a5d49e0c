/** An answer as any HTTP client sees it. */
export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

type Sent = Readonly<Record<string, string>>

/** A form by POST, as stock OAuth sends it. */
export async function postForm(url: string, form: Sent, headers: Sent = {}): Promise<Answer> {
  return await answerOf(await fetch(url, { method: 'POST', headers, body: new URLSearchParams(form) }))
}

/** JSON by POST. */
export async function postJson(url: string, body: unknown, headers: Sent = {}): Promise<Answer> {
  const sent = { 'content-type': 'application/json', ...headers }
  return await answerOf(await fetch(url, { method: 'POST', headers: sent, body: JSON.stringify(body) }))
}

export async function get(url: string, headers: Sent = {}): Promise<Answer> {
  return await answerOf(await fetch(url, { headers }))
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  const body: unknown = isJson ? JSON.parse(text) : text
  return { status: response.status, headers: response.headers, body }
}
