import type { ApprovalDetail } from '../protocol/approval.ts'
import { sha256Base64url } from '../protocol/digest.ts'
import { parseStrictJsonText } from '../protocol/json.ts'
import { visibleText } from '../protocol/visible-text.ts'
import { CliFailure } from './failure.ts'
import { ownLine, section } from './foreign-text.ts'
import { recordText } from './output.ts'

/**
 * What somebody must read before they decide: first what the server says, with all that the step opens and not only what
 * was asked for first; then the arguments, indented, with what would not show made visible. Throws CliFailure where the arguments are not those of the digest.
 */
export function approvalText({ arguments: text, hidden_characters, ...record }: ApprovalDetail): string {
  const { resource, scope, step_access, excluded_owners, ...facts } = record
  if (text !== null && sha256Base64url(text) !== record.arguments_digest) {
    throw new CliFailure('digest_mismatch', 'The arguments that the server shows are not those of its digest.', {
      next: 'Do not decide; ask whoever runs the server.',
    })
  }
  const shown = text === null ? '(none)' : visibleText(JSON.stringify(parseStrictJsonText(text), null, 2))
  return [
    recordText({
      ...facts,
      first_asked_for: entryText({ resource, scope }),
      step_opens: step_access?.map(entryText).join('; ') ?? 'all that the agent may have',
      excluded_owners: excluded_owners.join(' ') || null,
    }),
    ...(hidden_characters
      ? [ownLine('Warning: the arguments have characters that do not show as they are; they stand as ⟦U+…⟧ below.')]
      : []),
    section('Arguments', shown),
  ].join('\n')
}

function entryText({ resource, scope }: { resource: string; scope: string }): string {
  return `${scope} at ${resource}`
}
