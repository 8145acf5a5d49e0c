import assert from 'node:assert/strict'
import { type ErrorCode, OAuthError } from '../src/protocol/errors.ts'

/** What a parser answered: a value, or one of its own refusals. Anything else that it throws is thrown on. */
export type Outcome<T> = { readonly value: T } | { readonly refused: OAuthError }

export function outcome<T>(act: () => T, ...codes: readonly ErrorCode[]): Outcome<T> {
  try {
    return { value: act() }
  } catch (error) {
    return { refused: ownRefusal(error, codes) }
  }
}

export async function outcomeOf<T>(act: () => Promise<T>, ...codes: readonly ErrorCode[]): Promise<Outcome<T>> {
  try {
    return { value: await act() }
  } catch (error) {
    return { refused: ownRefusal(error, codes) }
  }
}

/** Server and model take or refuse the same; `told` says of what they disagree. */
export function agree(taken: boolean, model: boolean, told: unknown): void {
  assert.equal(taken, model, `taken: ${taken}, by the model: ${model}: ${JSON.stringify(told)}`)
}

function ownRefusal(error: unknown, codes: readonly ErrorCode[]): OAuthError {
  if (!(error instanceof OAuthError)) throw error
  assert.ok(codes.includes(error.code), `refused with ${error.code}, not ${codes.join(' or ')}`)
  return error
}
