import { z } from 'zod'
import { OAuthError } from '../../protocol/errors.ts'
import type { BatchItem } from '../registry/batch-item.ts'
import { describeIssue, plainText } from './refusal.ts'

/**
 * The list of a batch: its bounds are judged with the body, its items one by one by `readItems`, so that a malformed one
 * does not leave the others without an answer (ADR 11). The OpenAPI document still says what an item is.
 */
export function batchOf(item: z.ZodType, most: number) {
  const { $schema: _, ...described } = z.toJSONSchema(item, { io: 'input', unrepresentable: 'any', reused: 'inline' })
  return z.array(z.unknown().meta(described)).min(1).max(most)
}

/** Judges each item by itself. `idOf` finds the name of one that is malformed elsewhere. */
export function readItems<T>(
  schema: z.ZodType<T>,
  sent: readonly unknown[],
  idOf: (item: unknown) => string | undefined,
): readonly BatchItem<T>[] {
  return sent.map(item => {
    const read = schema.safeParse(item)
    return read.success ? { body: read.data } : { refusal: malformed(read.error), id: idOf(item) }
  })
}

/** The items as an Idempotency-Key compares them. */
export function comparedItems<T>(sent: readonly unknown[], items: readonly BatchItem<T>[]): readonly unknown[] {
  return items.map((item, at) => ('body' in item ? item.body : sent[at]))
}

function malformed({ issues: [issue] }: z.ZodError): OAuthError {
  const found = issue && {
    keyword: issue.code,
    instancePath: `/${issue.path.map(String).join('/')}`,
    message: issue.message,
  }
  return new OAuthError('invalid_request', plainText(describeIssue(found)), { reason: 'request_schema' })
}
