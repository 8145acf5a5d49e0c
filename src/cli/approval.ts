import { type Command, Option } from 'commander'
import { z } from 'zod'
import { type ApprovalDetail, approvalDetailSchema, argumentsDigestSchema } from '../protocol/approval.ts'
import { adminClient, listAll, type Row, readRecord } from './admin-client.ts'
import { approvalNotes, byAnother, NO_ARGUMENTS } from './approval-notes.ts'
import { approvalText } from './approval-text.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readLogin } from './login-session.ts'
import { recordText, tableText } from './output.ts'
import { readProfile } from './profile.ts'
import type { ProtectedClient } from './protected-client.ts'
import { openSession } from './session.ts'

const PATH = '/admin/v1/approvals'
const COLUMNS = ['approval_id', 'status', 'workflow_id', 'workflow_step', 'agent_id', 'initiated_by', 'opened_at']

const listOptions = z.object({ status: z.string(), execution: z.string().optional() })
const decideOptions = z.object({ digest: z.string(), reason: z.string() })

/** remit approval list, show, grant, deny. */
export function addApprovalCommand(program: Command): void {
  const approval = program.command('approval').description('steps of workflows that wait for a person')
  approval
    .command('list')
    .description('list the approvals that wait, the newest first')
    .addOption(
      new Option('--status <status>', 'others').choices(['pending', 'granted', 'denied', 'all']).default('pending'),
    )
    .option('--execution <id>', 'those of one execution')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(command)
      const { status, execution } = listOptions.parse(command.opts())
      const query = { status, ...(execution !== undefined && { execution_id: execution }) }
      const rows = await listAll(await adminClient(session, 'approve:steps'), PATH, query)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  approval
    .command('show')
    .description('show one with the exact arguments; the read is audited')
    .argument('<approval_id>')
    .action(async (approval_id: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const detail = await readApproval(await adminClient(session, 'approve:steps'), approval_id)
      const text = approvalText(detail)
      if (detail.status === 'pending') {
        const login = await readLogin(session, await readProfile(session))
        for (const note of approvalNotes(detail, login?.sub)) session.out.note(note)
      }
      session.out.result(detail, text)
    })
  addDecision(approval, 'grant', 'let the step be entered once with exactly these arguments')
  addDecision(approval, 'deny', 'turn it down: the same arguments are not asked for again in this execution')
}

function addDecision(approval: Command, decision: 'grant' | 'deny', description: string): void {
  approval
    .command(decision)
    .description(description)
    .argument('<approval_id>')
    .addOption(digestOption().makeOptionMandatory())
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (approval_id: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const { digest, reason } = decideOptions.parse(command.opts())
      const api = await adminClient(session, 'approve:steps')
      const record = await decide(api, approval_id, { decision, digest, reason })
      session.out.result(record, recordText(record))
    })
}

/** The digest of what was read, as "approval show" prints it. */
export function digestOption(): Option {
  return new Option('--digest <digest>', `arguments_digest of what you read; "${NO_ARGUMENTS}" where there are none`)
}

/** Throws CliFailure. */
export async function decide(
  api: ProtectedClient,
  approval_id: string,
  { decision, digest, reason }: { decision: 'grant' | 'deny'; digest: string; reason: string },
): Promise<Row> {
  if (digest !== NO_ARGUMENTS && !argumentsDigestSchema.safeParse(digest).success) {
    throw wrongUsage('--digest takes the base64url SHA-256 that "remit approval show" prints, or "none".')
  }
  const arguments_digest = digest === NO_ARGUMENTS ? null : digest
  try {
    return readRecord(await api.post(pathOf(approval_id), { decision, arguments_digest, reason }))
  } catch (error) {
    if (!(error instanceof CliFailure) || error.code !== 'forbidden') throw error
    const again = `${decision === 'grant' ? 'approve' : 'approval deny'} ${approval_id} ...`
    throw new CliFailure(error.code, error.message, { ...error.details, next: byAnother(again) })
  }
}

/** Throws CliFailure. */
export async function readApproval(api: ProtectedClient, approval_id: string): Promise<ApprovalDetail> {
  const detail = approvalDetailSchema.safeParse(await api.get(pathOf(approval_id)))
  if (detail.success) return detail.data
  throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
}

function pathOf(approval_id: string): string {
  return `${PATH}/${encodeURIComponent(approval_id)}`
}
