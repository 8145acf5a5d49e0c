import type { Threat } from '../threat.ts'
import { identitySpoofing } from './t01-identity-spoofing.ts'
import { tokenReplay } from './t02-token-replay.ts'
import { shimImpersonation } from './t03-shim-impersonation.ts'
import { codeModification } from './t04-code-modification.ts'
import { promptInjection } from './t05-prompt-injection.ts'
import { workflowTampering } from './t06-workflow-tampering.ts'
import { crossAgentEscalation } from './t07-cross-agent-escalation.ts'
import { stepBypass } from './t08-step-bypass.ts'
import { scopeInflation } from './t09-scope-inflation.ts'
import { intentOriginForgery } from './t10-intent-origin-forgery.ts'
import { chainManipulation } from './t11-chain-manipulation.ts'
import { configurationExposure } from './t12-configuration-exposure.ts'

/** The twelve threats of the paper (arXiv 2509.13597, section 4). */
export const THREATS: readonly Threat[] = [
  identitySpoofing,
  tokenReplay,
  shimImpersonation,
  codeModification,
  promptInjection,
  workflowTampering,
  crossAgentEscalation,
  stepBypass,
  scopeInflation,
  intentOriginForgery,
  chainManipulation,
  configurationExposure,
]
