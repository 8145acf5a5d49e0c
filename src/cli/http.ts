import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { CliFailure } from './failure.ts'
import { nextStep } from './next-step.ts'
import { printable } from './output.ts'

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
  /** The body as it came, for what is not JSON. */
  readonly text: string
}

const TIMEOUT_MILLISECONDS = 15_000
const LONGEST_WAIT_SECONDS = 10

/** Both kinds of refusal: RFC 6749 section 5.2 and RFC 9457. */
const refusalSchema = z.object({
  error: z.string().optional(),
  error_description: z.string().optional(),
  error_uri: z.string().optional(),
  ajwt_error: z.string().optional(),
  code: z.string().optional(),
  detail: z.string().optional(),
  type: z.string().optional(),
  results: z.array(z.record(z.string(), z.string())).optional(),
})

/** One request whose good answer is JSON. Throws CliFailure: `unreachable`, or the server's own code and sentence. */
export async function fetchJson(url: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetchAnswer(url, init)
  if (answer.status >= 200 && answer.status < 300) return answer
  throw refusalOf(answer, url)
}

/** `fetchJson` that leaves refusals to its caller. Throws CliFailure `unreachable`. */
export async function fetchAnswer(url: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: parseBody(text), text }
  } catch {
    throw new CliFailure('unreachable', `No server answers at ${originOf(url)}.`, { next: nextStep('unreachable') })
  }
}

/** The refusal in an answer, in the server's words. */
export function refusalOf({ status, headers, body }: Answer, url: string): CliFailure {
  const refusal = refusalSchema.safeParse(body).data
  const code = refusal?.ajwt_error ?? refusal?.code ?? refusal?.error
  const page = refusal?.error_uri ?? refusal?.type
  const sentence = refusal?.detail ?? refusal?.error_description
  const request_id = /^[\w-]{1,64}$/.exec(headers.get('x-request-id') ?? '')?.[0]
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
  if (code === undefined) {
    return new CliFailure('unexpected_answer', `${originOf(url)} answered ${status} and is perhaps no Remit server.`, {
      status,
      next: 'Check --url and the profile.',
    })
  }
  return new CliFailure(code, [sentence ?? 'The server refused.', ...resultLines(refusal?.results)].join(' '), {
    status,
    next: nextStep(code) ?? (page?.startsWith('http') ? `See ${page}` : undefined),
    retry_after: Number.isFinite(retryAfter) ? retryAfter : undefined,
    request_id,
  })
}

/** Of a batch, why each of the refused ones was: by its name, else by its place. */
function resultLines(results: readonly Readonly<Record<string, string>>[] = []): string[] {
  return results.flatMap(({ status, agent_id, workflow_id, error, error_description }, at) => {
    const name = agent_id ?? workflow_id ?? `item ${at + 1}`
    return status === 'refused' ? [printable(`${name} (${error}): ${error_description}`)] : []
  })
}

/** Tries once more after a network failure, or a 503 that says when. `attempt` must be safe to repeat. */
export async function withOneRepeat<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error
    const { status, retry_after } = error.details
    const isBusy = status === 503 && retry_after !== undefined && retry_after <= LONGEST_WAIT_SECONDS
    if (error.code !== 'unreachable' && !isBusy) throw error
    await sleep(isBusy ? retry_after * 1000 : 200)
    return await attempt()
  }
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function originOf(url: string): string {
  return URL.parse(url)?.origin ?? url
}
