import type { Command } from 'commander'
import { z } from 'zod'
import { adminClient } from './admin-client.ts'
import { decide, digestOption, readApproval } from './approval.ts'
import { digestText } from './approval-notes.ts'
import { approvalText } from './approval-text.ts'
import { ask } from './confirm.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { recordText } from './output.ts'
import { openSession, type Session } from './session.ts'

const HELP = `
In a terminal it shows the exact arguments and asks. A script has read them before: it says which by --digest, and --yes.`

const approveOptions = z.object({
  yes: z.boolean().default(false),
  digest: z.string().optional(),
  reason: z.string().optional(),
})

/** `remit approve`: reads, asks, grants. */
export function addApproveCommand(program: Command): void {
  program
    .command('approve')
    .description('read what one approval asks for, and grant it')
    .argument('<approval_id>')
    .addOption(digestOption())
    .option('--reason <text>', 'why, for the record; asked for where it is missing')
    .option('--yes', 'do not ask; needs --digest and --reason')
    .addHelpText('after', HELP)
    .action(async (approval_id: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const { yes, digest, reason } = approveOptions.parse(command.opts())
      if (yes && (digest === undefined || reason === undefined)) {
        throw wrongUsage('--yes needs --digest and --reason: what was read before, and why.')
      }
      if (!yes && !(process.stdin.isTTY && process.stderr.isTTY)) {
        throw wrongUsage('This is no terminal to ask in; give --yes, --digest and --reason.')
      }
      const api = await adminClient(session, 'approve:steps')
      const detail = await readApproval(api, approval_id)
      session.out.note(approvalText(detail))
      if (detail.status !== 'pending') {
        throw new CliFailure('conflict', `The approval is ${detail.status}; nothing is left to decide.`)
      }
      // What was shown is granted, whatever stands there by now.
      const shown = digestText(detail)
      if (digest !== undefined && digest !== shown) {
        throw new CliFailure('conflict', 'The digest is not that of what is asked for; read it again.')
      }
      const why = yes ? reason : await confirmed(session, reason)
      const decision = { decision: 'grant', digest: shown, reason: why ?? '' } as const
      const record = await decide(api, approval_id, decision)
      session.out.result(record, recordText(record))
    })
}

/** @returns why. Throws CliFailure where it is not confirmed. */
async function confirmed({ out }: Session, reason: string | undefined): Promise<string> {
  out.note('')
  const why = reason ?? (await ask('Why (for the record): '))
  if (why !== '' && (await ask('Grant exactly this? Type "yes": ')) === 'yes') return why
  throw new CliFailure('not_confirmed', 'Nothing was decided.')
}
