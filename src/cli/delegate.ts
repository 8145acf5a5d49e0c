import { type Command, Option } from 'commander'
import { z } from 'zod'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../protocol/claims.ts'
import { type DelegationClaims, delegationDigest } from '../protocol/delegation.ts'
import { thumbprintOf } from '../protocol/jwk.ts'
import { agentIdSchema, agentSubject, stepIdSchema } from '../protocol/names.ts'
import { chainCommitment } from '../protocol/sequence-hash.ts'
import { type HolderKey, signDelegation } from '../protocol/sign.ts'
import { thumbprintSchema } from '../protocol/thumbprint.ts'
import { DELEGATION_FIRST_WINDOW, EXECUTION_LIFETIME_MAX, epochSeconds } from '../protocol/time.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readSecret } from './files.ts'
import { readPublicJwk } from './key-statement.ts'
import { readKeyFile } from './keys.ts'
import { openSession } from './session.ts'
import { decodeToken } from './token-decode.ts'

const LIFETIME_DEFAULT = 600
const HELP = `
Within its own step (or without a workflow) an agent gives on what its token has, or less of it; with --step it hands over
to another step of the same execution, with what that step is for.

Example, the planner's key and token in files, to an agent whose public JWK is in helper.json:
  remit delegate planner-token --key planner-key.json --to helper --to-key helper.json --scope read > assertion
The delegate then asks with it: remit token mint … --delegation assertion`

const optionsSchema = z.object({
  key: z.string(),
  to: agentIdSchema,
  jkt: thumbprintSchema.optional(),
  toKey: z.string().optional(),
  scope: z.string().optional(),
  resource: z.string().optional(),
  step: stepIdSchema.optional(),
  prevAssertion: z.string().optional(),
  expiresIn: z
    .string()
    .regex(/^[1-9][0-9]{0,4}$/)
    .transform(Number)
    .pipe(z.int().max(EXECUTION_LIFETIME_MAX))
    .optional(),
})
type Options = z.output<typeof optionsSchema>

/** `remit delegate`: asks nothing of the server. */
export function addDelegateCommand(program: Command): void {
  program
    .command('delegate')
    .description('hand a task to another agent of the client: prints a delegation assertion for its token request')
    .argument('<file>', 'the token of the agent that delegates, "-" for standard input')
    .requiredOption('--key <file>', 'private JWK that this token is bound to, which signs')
    .requiredOption('--to <agent_id>', 'the agent that gets the task')
    .addOption(new Option('--to-key <file>', 'public JWK that it signs its proofs with').conflicts('jkt'))
    .option('--jkt <thumbprint>', 'the thumbprint of that key instead')
    .option('--scope <scopes>', 'what it may ask for at most (default: the scope of the token)')
    .option('--resource <uri>', 'the API that it is for (default: that of the token)')
    .option('--step <id>', 'the step that it is for (default: that of the token)')
    .option('--prev-assertion <file>', 'the assertion under which the token was minted, where there was one')
    .option('--expires-in <seconds>', `when the delegation ends (default: ${LIFETIME_DEFAULT}, or with the one above)`)
    .addHelpText('after', HELP)
    .action(async (file: string, _options: unknown, command: Command) => {
      const session = openSession(command)
      const options = readOptions(command)
      const parent = await readParent(file)
      const key = await holderOf(parent, options.key)
      const iat = epochSeconds(session.now())
      if (parent.exp <= iat) {
        throw new CliFailure('token_expired', 'The token has expired, and only a live one delegates.', {
          next: 'Let the agent get a new one, and delegate from that.',
        })
      }
      const prev = await above(parent, options, iat)
      const claims = await claimsOf(parent, options, prev, { iat, jti: session.randomId() })
      const delegation_assertion = await signDelegation(key, claims)
      session.out.note(
        `${claims.sub} may ask with it until ${new Date(claims.exp * 1000).toISOString()}, first within ${DELEGATION_FIRST_WINDOW} s.`,
      )
      session.out.result({ delegation_assertion, expires_in: claims.exp - iat }, delegation_assertion)
    })
}

function readOptions(command: Command): Options {
  const read = optionsSchema.safeParse(command.opts())
  if (read.success) return read.data
  const name = String(read.error.issues[0]?.path[0])
  throw wrongUsage(`The value of --${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)} is malformed.`)
}

/** Not verified: whether it is a token of the server is the server's to say. */
type Parent = AccessTokenClaims & { readonly intent: NonNullable<AccessTokenClaims['intent']> }

async function readParent(file: string): Promise<Parent> {
  const claims = accessTokenClaimsSchema.safeParse(decodeToken(await readSecret(file)).payload).data
  if (claims?.intent) return { ...claims, intent: claims.intent }
  throw new CliFailure('token_malformed', 'That is no intent token: only an agent delegates.', {
    next: 'Give the file that "remit token mint" wrote for the agent.',
  })
}

async function holderOf({ cnf }: Parent, file: string): Promise<HolderKey> {
  const key = await readKeyFile(file)
  const bound = cnf && ('jkt' in cnf ? cnf.jkt : await thumbprintOf(cnf.jwk))
  if (bound === (await thumbprintOf(key.publicJwk))) return key
  throw new CliFailure('key_mismatch', `The token is ${bound ? 'bound to another key' : 'bound to no key'}.`, {
    next: 'Sign with the key of the proof by which the token was minted.',
  })
}

type Above = { readonly prev: string; readonly exp: number }

/** What `prev` and the latest end are: the last of its proofs where the token shows them. Throws CliFailure. */
async function above(
  { client_id, intent, delegation_proofs }: Parent,
  { prevAssertion }: Options,
  iat: number,
): Promise<Above | undefined> {
  const assertion = prevAssertion === undefined ? delegation_proofs?.at(-1) : await readSecret(prevAssertion)
  const isDelegated = intent.chain_commitment !== chainCommitment([agentSubject(client_id, intent.executed_by)])
  if (isDelegated !== (assertion !== undefined)) {
    throw isDelegated
      ? wrongUsage('The token was itself delegated: give --prev-assertion FILE.')
      : wrongUsage('The token was minted without an assertion: leave --prev-assertion out.')
  }
  if (assertion === undefined) return undefined
  const { exp } = decodeToken(assertion).payload
  if (typeof exp !== 'number' || exp <= iat) {
    throw new CliFailure('assertion_expired', 'The delegation under which the token was minted is over.')
  }
  return { prev: delegationDigest(assertion), exp }
}

async function claimsOf(
  parent: Parent,
  options: Options,
  last: Above | undefined,
  { iat, jti }: { readonly iat: number; readonly jti: string },
): Promise<DelegationClaims> {
  const { client_id, intent } = parent
  const { to, step = intent.workflow_step, expiresIn } = options
  const isHandOver = step !== intent.workflow_step
  if (isHandOver && (options.scope === undefined || options.resource === undefined)) {
    throw wrongUsage('Another step has rights of its own: give --scope and --resource too.')
  }
  const { execution_id } = intent
  return {
    iss: agentSubject(client_id, intent.executed_by),
    sub: agentSubject(client_id, to),
    aud: parent.iss,
    parent_jti: parent.jti,
    ...(last && { prev: last.prev }),
    jkt: await delegateKey(options),
    scope: options.scope ?? parent.scope,
    resource: [options.resource ?? parent.aud],
    // Also where it is the parent's: an API cannot look that up (protocol.md section 6, Offline).
    ...(step !== undefined && { workflow_step: step }),
    ...(execution_id !== undefined && { execution_id }),
    iat,
    exp: endOf(iat, expiresIn, last?.exp),
    jti,
  }
}

function endOf(iat: number, expiresIn: number | undefined, latest = Number.POSITIVE_INFINITY): number {
  const exp = iat + (expiresIn ?? LIFETIME_DEFAULT)
  if (exp <= latest || expiresIn === undefined) return Math.min(exp, latest)
  throw wrongUsage(`The delegation above ends in ${latest - iat} s: give --expires-in ${latest - iat} or less.`)
}

async function delegateKey({ jkt, toKey }: Options): Promise<string> {
  if (jkt !== undefined) return jkt
  if (toKey === undefined) throw wrongUsage('Give --to-key FILE, or --jkt THUMBPRINT: the key of the delegate.')
  return await thumbprintOf({ ...(await readPublicJwk(toKey)) })
}
