import type { Target } from '../target.ts'
import { compactJws } from './f01-compact-jws.ts'
import { dpopProof } from './f02-dpop-proof.ts'
import { clientAssertion } from './f03-client-assertion.ts'
import { tokenForm } from './f04-token-form.ts'
import { intentJson } from './f05-intent-json.ts'
import { checksum } from './f06-checksum.ts'
import { delegationChain } from './f07-delegation-chain.ts'
import { workflowMachine } from './f08-workflow-machine.ts'
import { htu } from './f09-htu.ts'
import { cursorsFilters } from './f10-cursors-filters.ts'
import { scopes } from './f11-scope.ts'
import { keys } from './f12-keys.ts'
import { audit } from './f13-audit.ts'
import { addresses } from './f14-addresses.ts'
import { linearTime } from './regular-expressions.ts'

/** F1 to F14 of attacks.md section 6, and its row 112. */
export const TARGETS: readonly Target[] = [
  ...[compactJws, dpopProof, clientAssertion, tokenForm, intentJson, checksum, delegationChain, workflowMachine],
  ...[htu, cursorsFilters, scopes, keys, audit, addresses, linearTime],
]
