import type { ServerMetadata } from '../src/protocol/metadata.ts'
import { type Operator, tryBootstrap } from './administration.ts'
import { generateKey } from './agents.ts'
import type { Attempt } from './attempt.ts'
import { requestFor, type Scene } from './scene.ts'

type Office = {
  readonly server: { readonly metadata: ServerMetadata; readonly adminUrl: string }
  readonly bootstrapToken: string
  /** The operator whose owner owns the app, too. */
  readonly ownOperator: Operator
  /** Path and body of the approval of the reader's version. */
  readonly approval: { readonly path: string; readonly body: object }
}

/** What must not work while the agents are registered but not approved. */
export function approvalAttempts(scene: Scene, office: Office): readonly Attempt[] {
  return [
    {
      name: 'second_bootstrap',
      attack: 'The one-time token of the first administrator, used once more',
      meaning: 'The door for the first administrator is closed for good once somebody went through.',
      expected: { status: 409, error: 'conflict' },
      run: async () => tryBootstrap(office.server, office.bootstrapToken, await generateKey()),
    },
    {
      name: 'unapproved_agent',
      attack: 'The reader asks for a token before anybody approved it',
      meaning: 'A pending version counts for nothing: not its checksum, not its key, not its grant.',
      expected: { status: 401, error: 'agent_checksum_mismatch' },
      run: () => scene.app.mint(requestFor(scene, 'collect'), scene.agents.reader.key),
    },
    {
      name: 'own_approval',
      attack: "Anna approves an agent of Anna's own app",
      meaning: 'Four eyes: somebody else must approve, as soon as there is somebody else.',
      expected: { status: 403, error: 'forbidden' },
      run: () => office.ownOperator.post(office.approval.path, office.approval.body),
    },
  ]
}
