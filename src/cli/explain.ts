import type { Command } from 'commander'
import { type Explanation, explanationSchema } from '../protocol/audit-views.ts'
import { adminClient } from './admin-client.ts'
import { CliFailure } from './failure.ts'
import { recordText } from './output.ts'
import { openSession } from './session.ts'

export function addExplainCommand(program: Command): void {
  program
    .command('explain')
    .description('say which check decided, against what, and which command mends it')
    .argument('<id>', 'the jti of a token, the id of an audit entry, or the X-Request-Id of an answer')
    .action(async (id: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'audit:read')
      const answer = explanationSchema.safeParse(await api.get(`/admin/v1/explain/${encodeURIComponent(id)}`))
      if (!answer.success) {
        throw new CliFailure('unexpected_answer', 'The server answered in a form that this release does not know.')
      }
      session.out.result(answer.data, explanationText(answer.data))
    })
}

function explanationText({ outcome, reason, check, facts, mend, command, error_uri, rows }: Explanation): string {
  const last = rows.at(-1)
  const head = recordText({
    outcome: reason === null ? outcome : `${outcome}: ${reason}`,
    ...(last && { entry: `${last.id} at ${last.at}` }),
    check,
  })
  const found = recordText(Object.fromEntries(facts.map(({ name, value }) => [name, value])))
  const next = recordText({ mend, ...(command && { command }), ...(error_uri && { more: error_uri }) })
  return [head, found, next].filter(part => part !== '').join('\n\n')
}
