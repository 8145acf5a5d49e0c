import { Argument, type Command } from 'commander'
import { z } from 'zod'
import { jwksSchema } from '../protocol/metadata.ts'
import { REVOCATION_KINDS, type RevocationAnswer, revocationAnswerSchema } from '../protocol/revocation.ts'
import { adminClient } from './admin-client.ts'
import { CliFailure } from './failure.ts'
import { fetchJson, withOneRepeat } from './http.ts'
import { lineText } from './output.ts'
import { issuerOf } from './profile.ts'
import { openSession, type Session } from './session.ts'
import { discover } from './token-client.ts'

const HELP = `
ID is, by kind:
  token         its jti
  registration  registration_id of a version
  agent         client_id/agent_id
  client        client_id
  execution     execution_id
  workflow      client_id/workflow_id
  initiator     agent:client_id:agent_id, user:issuer:sub, or a client_id
  key           thumbprint of an agent's or a client's key, or the kid of one of the server's own
Registration, agent, client, execution and key of an agent are final: what is revoked does not come back. A workflow comes
back when another owner approves a new version. An initiator is stopped for 16 minutes, and what it began ends for good. A
key of the server is replaced at once.`

const revokeOptions = z.object({ reason: z.string() })

export function addRevokeCommand(program: Command): void {
  program
    .command('revoke')
    .description('revoke by kind, and all that descends from it; says how many live tokens stop')
    .addArgument(new Argument('<kind>', 'what kind of thing').choices(REVOCATION_KINDS))
    .argument('<id>', 'which one')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .addHelpText('after', HELP)
    .action(async (kind: string, id: string, _options, command: Command) => {
      const session = openSession(command)
      const { reason } = revokeOptions.parse(command.opts())
      const isOurs = kind === 'key' && (await publishedKids(session)).includes(id)
      const api = await adminClient(session, 'revoke', ...(isOurs ? (['admin:keys'] as const) : []))
      const answer = revocationAnswerSchema.safeParse(await api.post('/admin/v1/revocations', { kind, id, reason }))
      if (!answer.success) {
        throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
      }
      session.out.result(answer.data, coveredText(answer.data))
    })
}

/** What a revocation covered, in words. */
export function coveredText(answer: RevocationAnswer): string {
  const { kind, id, revoked, delegations, live_tokens, live_tokens_at_least, ends_at, final, note } = answer
  const itself = kind === 'token' ? 1 : kind === 'workflow' ? live_tokens : 0
  const delegated = (revoked.token ?? 0) - itself
  const executions = (revoked.execution ?? 0) - (kind === 'execution' ? 1 : 0)
  const endorsed = kind === 'key' ? (revoked.key ?? 0) - 1 : 0
  const stops = `${live_tokens_at_least ? 'At least ' : ''}${counted(live_tokens, 'live token')} ${live_tokens === 1 ? 'stops' : 'stop'}`
  const more =
    delegated === 0
      ? ''
      : `; ${delegated} delegated ${delegated === 1 ? 'one' : 'ones'} with ${live_tokens === 1 ? 'it' : 'them'}`
  return [
    lineText([`Revoked ${kind} ${id}.`]),
    `${stops}${more}.`,
    ...(executions > 0
      ? [`${counted(executions, 'open execution')} ${executions === 1 ? 'ends' : 'end'} with it.`]
      : []),
    ...(delegations > 0
      ? [
          `Nothing more is minted under ${counted(delegations, 'delegation')} that ${delegations === 1 ? 'descends' : 'descend'} from it.`,
        ]
      : []),
    ...(endorsed > 0
      ? [`${counted(endorsed, 'key')} that it endorsed ${endorsed === 1 ? 'goes' : 'go'} with it.`]
      : []),
    ...(final ? [] : [`It stands until ${ends_at}.`]),
    ...(note === undefined ? [] : [lineText([note])]),
  ].join('\n')
}

function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** Revoking one of the server's own keys takes another scope. */
async function publishedKids(session: Session): Promise<readonly string[]> {
  const { jwks_uri } = await discover(await issuerOf(session))
  const jwks = jwksSchema.safeParse((await withOneRepeat(() => fetchJson(jwks_uri))).body)
  return jwks.success ? jwks.data.keys.map(key => key.kid) : []
}
