export { type Access, type AccessEntry, accessSchema, grants, intersect, isWithin } from './access.ts'
export {
  agentChecksum,
  type ChecksumComponents,
  type ChecksumTool,
  canonicalComponents,
  checksumsEqual,
  parseChecksum,
} from './checksum.ts'
export { type ReferenceChecksumComponents, referenceChecksum, referenceComponents } from './checksum-reference.ts'
export {
  type AssertionOptions,
  type ClientAssertion,
  type ClientKeys,
  verifyClientAssertion,
} from './client-assertion.ts'
export { type CompactJws, isCanonicalBase64url, isKid, parseCompactJws } from './compact-jws.ts'
export { equalConstantTime, sha256Base64url, sha256Hex } from './digest.ts'
export { DPOP_ALGS, type DpopProof, type ExpectedProof, verifyDpopProof } from './dpop.ts'
export {
  type AjwtError,
  type Dialect,
  type ErrorCode,
  type ErrorDetails,
  OAuthError,
  type WireError,
  wireError,
} from './errors.ts'
export { parseExactJsonText, type RawNumber } from './exact-json.ts'
export { parseStrictForm } from './form.ts'
export { normaliseHtu } from './htu.ts'
export { canonicalJson } from './jcs.ts'
export { isJsonObject, type JsonObject, type JsonValue, parseStrictJson, parseStrictJsonText } from './json.ts'
export { importPublicJwk, type PublicJwk, type PublicKey, parseJwks, parsePem } from './jwk.ts'
export { integerClaim, type JwtTimes, readTimes, type TimeRules } from './jwt-times.ts'
export {
  agentIdSchema,
  agentSubject,
  clientIdSchema,
  parseSubjectName,
  type SubjectName,
  stepIdSchema,
  subjectNameSchema,
  userSubject,
  workflowIdSchema,
} from './names.ts'
export { normalisePrompt } from './prompt-normalisation.ts'
export { isResourceUri, resourceUriSchema } from './resource-uri.ts'
export { formatScope, isScopeToken, parseScope, splitScope } from './scope.ts'
export { chainCommitment, sequenceHash } from './sequence-hash.ts'
export {
  CLIENT_ASSERTION_MAX_LIFETIME,
  CLOCK_SKEW,
  DPOP_PROOF_WINDOW,
  EXECUTION_LIFETIME_MAX,
  epochSeconds,
  IDEMPOTENCY_RETENTION,
  JWKS_COOLDOWN,
  JWKS_OUTAGE_MAX_AGE,
  REVOCATION_MARGIN,
  TOKEN_CLOCK_SKEW,
  TOKEN_LIFETIME_DEFAULT,
  TOKEN_LIFETIME_HARD_LIMIT,
} from './time.ts'
export { type ExpectedJws, isAcceptedTyp, verifyCompactJws } from './verify-jws.ts'
export { visibleText } from './visible-text.ts'
