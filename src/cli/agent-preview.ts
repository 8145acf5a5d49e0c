import type { Command } from 'commander'
import { type PreviewAnswer, previewAnswerSchema } from '../protocol/agent-views.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { FILE_HELP, readComponents } from './agent-components.ts'
import {
  addRegistrationOptions,
  type RegistrationOptions,
  registrationBody,
  registrationOptions,
} from './agent-registration.ts'
import { readCredential, readForeignToken } from './credential.ts'
import { diffSections, diffSummary, warningLines } from './diff-text.ts'
import { CliFailure } from './failure.ts'
import { isRefusedScope } from './held-scopes.ts'
import { generateKey, readKeyFile } from './keys.ts'
import { recordText } from './output.ts'
import { registrationClient } from './registration-client.ts'
import { openSession, type Session } from './session.ts'
import type { ClientCredential } from './token-client.ts'

const GENERATE_KEY = 'judge it with a new key, as create with this option; no file is written'

/** `remit agent preview`: what `agent create` with this file and these options would do, without doing it. */
export function addAgentPreviewCommand(agent: Command): void {
  addRegistrationOptions(agent.command('preview'), GENERATE_KEY)
    .description('show what registering a version would do: its status, warnings, and what it changes')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addHelpText('after', FILE_HELP)
    .action(async (file: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const options = registrationOptions.parse(command.opts())
      const parts = await readComponents(file, options.checksumProfile)
      const body = registrationBody(parts, options, await holderOf(options))
      const credential = await readCredential(command)
      const token = await readForeignToken(command)
      const answer = previewAnswerSchema.safeParse(await askPreview(session, credential, body, token))
      if (!answer.success) {
        throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
      }
      const { against, diff } = answer.data
      if (against && !diff) session.out.note(unseenChanges(credential.client_id, against.version))
      session.out.result(answer.data, previewText(answer.data))
    })
}

/** A key is judged by whether it is registered already: any new one stands for the one that would be made. */
async function holderOf({ key, generateKey: newKey }: RegistrationOptions): Promise<HolderKey | undefined> {
  if (newKey !== undefined) return (await generateKey()).key
  return key === undefined ? undefined : await readKeyFile(key)
}

/** With the changes where the client may read components, else without. */
async function askPreview(
  session: Session,
  credential: ClientCredential,
  body: object,
  token: string | undefined,
): Promise<unknown> {
  const ask = async (scope: Parameters<typeof registrationClient>[2]) =>
    await (await registrationClient(session, credential, scope, token)).post('/intent/register/agent/preview', body)
  try {
    return await ask('register:intent read:agent-components')
  } catch (error) {
    if (!isRefusedScope(error)) throw error
    return await ask('register:intent')
  }
}

function unseenChanges(client_id: string, version: number): string {
  return `What changes since version ${version} is not shown: the access of client ${client_id} lacks scope read:agent-components.`
}

function previewText({ warnings, against, diff, pending_for, ...record }: PreviewAnswer): string {
  const waits = pending_for.length > 0 ? { pending_for: pending_for.join(', ') } : {}
  const changes = against && diff ? [diffSummary(against, diff), ...diffSections(against, diff)] : []
  return [recordText({ ...record, ...waits }), ...warningLines(warnings), ...changes].join('\n')
}
