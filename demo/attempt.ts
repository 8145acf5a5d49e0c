import { isDeepStrictEqual } from 'node:util'
import type { Answer } from './remit-client.ts'

/** What a refusal must look like, to the letter: a demo in which it merely fails somehow has failed. */
export type Expected = {
  readonly status: number
  readonly error: string
  readonly ajwt_error?: string
  readonly missing_steps?: readonly string[]
  /** Only where the error code alone would not tell one refusal from another. */
  readonly error_description?: string
}

/** Something that must not work, tried for real over HTTP. */
export type Attempt = {
  readonly name: string
  /** What is tried, in a few words. */
  readonly attack: string
  /** Why it is refused, and what that is good for. */
  readonly meaning: string
  readonly expected: Expected
  readonly run: () => Promise<Answer>
}

/** An attempt and what came of it. */
export type Outcome = Attempt & {
  readonly status: number
  readonly error: string
  readonly description: string
  /** What the server says beyond the code: its precise cause, the steps that are missing. */
  readonly precisely: string
  /** Refused, and exactly as expected. */
  readonly refused: boolean
}

/** Makes the attempt and compares the answer with the expectation, member by member. */
export async function make(attempt: Attempt): Promise<Outcome> {
  const { status, body } = await attempt.run()
  // RFC 9457 problem documents of the admin API say `code` and `detail`.
  const error = String(body.error ?? body.code ?? 'none')
  const description = String(body.error_description ?? body.detail ?? '')
  const { ajwt_error, missing_steps } = body
  const precisely = [ajwt_error ?? [], missing_steps ?? []].flat().join(', ')
  const seen = new Map<string, unknown>(Object.entries({ ...body, status, error }))
  const refused = Object.entries(attempt.expected).every(([member, value]) =>
    isDeepStrictEqual(seen.get(member), value),
  )
  return { ...attempt, status, error, description, precisely, refused }
}
