import type { ApprovalDetail } from '../protocol/approval.ts'
import { printable } from './output.ts'

/** What stands for the digest of a step without arguments. */
export const NO_ARGUMENTS = 'none'

/** The digest as `--digest` takes it. */
export function digestText({ arguments_digest }: Pick<ApprovalDetail, 'arguments_digest'>): string {
  return arguments_digest ?? NO_ARGUMENTS
}

/**
 * How to decide about an approval that waits. `reader` is who is logged in, where somebody is: whoever may not decide is
 * shown no command that would be refused. The owner of a profile's client is not known on this machine.
 */
export function approvalNotes(
  detail: Pick<ApprovalDetail, 'approval_id' | 'arguments_digest' | 'excluded_owners'>,
  reader: string | undefined,
): readonly string[] {
  const { approval_id, excluded_owners } = detail
  if (reader !== undefined && excluded_owners.includes(reader)) {
    return [`As ${reader} you may not decide about it. ${byAnother(`approval show ${approval_id}`)}`]
  }
  const named = `${approval_id} --digest ${digestText(detail)} --reason "..."`
  return [
    `Let it be done: remit approval grant ${named}`,
    `Turn it down:   remit approval deny ${named}`,
    ...(excluded_owners.length === 0 ? [] : [`Not as one of:  ${excluded_owners.map(printable).join(' ')}`]),
  ]
}

/** A command as somebody who has no part in what is asked for. */
export function byAnother(command: string): string {
  return `remit admin add --owner user:local:ben --profile-out ben.json, then remit --profile ben.json ${command}`
}
