/** Made from docs/openapi.json by generateTypes.ts: change the contracts of the app, then run `npm run openapi`. */
export interface paths {
    "/api/accounts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists accounts by name
         * @description App role: Accounts.Read.
         */
        get: operations["accountsList"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gets an account
         * @description App role: Accounts.Read.
         */
        get: operations["accountsGet"];
        /**
         * Creates an account, or changes the properties that the body names
         * @description App role: Accounts.Write.
         */
        put: operations["accountsPut"];
        post?: never;
        /**
         * Deletes an account: after a waiting window when it protects secrets or data keys, else at once
         * @description App role: Accounts.Delete.
         */
        delete: operations["accountsDelete"];
        options?: never;
        head?: never;
        /**
         * Changes the properties that the body names
         * @description App role: Accounts.Write.
         */
        patch: operations["accountsPatch"];
        trace?: never;
    };
    "/api/accounts/{accountName}/recover": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Recovers a deleted account before its scheduled purge
         * @description App role: Accounts.Delete.
         */
        post: operations["accountsRecover"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/rotateAccountKey": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a new account key, and encrypts the secrets again in the background
         * @description App role: Keys.Operate.
         */
        post: operations["operatorRotateAccountKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/validateEncryption": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Checks an encryption against the vault without changing anything
         * @description App role: Accounts.Read.
         */
        post: operations["accountsValidateEncryption"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/validateEncryption": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Checks an account's key against its vault, in every state of the account
         * @description App role: Keys.Operate.
         */
        post: operations["operatorValidateAccount"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/keys/validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Checks a key against its vault
         * @description App role: Keys.Operate.
         */
        post: operations["operatorValidateKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/contentKeys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists contentKeys, without their values
         * @description App role: Secrets.Read.
         */
        get: operations["contentKeysList"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/contentKeys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gets a content key, without its value
         * @description App role: Secrets.Read.
         */
        get: operations["contentKeysGet"];
        /**
         * Creates or changes a content key
         * @description App role: Secrets.Write.
         */
        put: operations["contentKeysPut"];
        post?: never;
        /**
         * Deletes a content key
         * @description App role: Secrets.Write.
         */
        delete: operations["contentKeysDelete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/contentKeys/{id}/reveal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reveals a content key
         * @description App role: Secrets.Reveal.
         */
        post: operations["contentKeysReveal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/contentKeys/reveal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reveals a page of contentKeys
         * @description App role: Secrets.Reveal.
         */
        post: operations["contentKeysRevealPage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/jobInputs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists jobInputs, without their values
         * @description App role: Secrets.Read.
         */
        get: operations["jobInputsList"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/jobInputs/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gets a job input, without its value
         * @description App role: Secrets.Read.
         */
        get: operations["jobInputsGet"];
        /**
         * Creates or changes a job input
         * @description App role: Secrets.Write.
         */
        put: operations["jobInputsPut"];
        post?: never;
        /**
         * Deletes a job input
         * @description App role: Secrets.Write.
         */
        delete: operations["jobInputsDelete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/jobInputs/{name}/reveal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reveals a job input
         * @description App role: Secrets.Reveal.
         */
        post: operations["jobInputsReveal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/jobInputs/reveal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reveals a page of jobInputs
         * @description App role: Secrets.Reveal.
         */
        post: operations["jobInputsRevealPage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/jobInputs/{name}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reveals a job input with its query strings
         * @description App role: Secrets.Resolve.
         */
        post: operations["jobInputsResolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/tokenKeys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists tokenKeys, without their values
         * @description App role: Secrets.Read.
         */
        get: operations["tokenKeysList"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/tokenKeys/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gets a token key, without its value
         * @description App role: Secrets.Read.
         */
        get: operations["tokenKeysGet"];
        /**
         * Creates or changes a token key
         * @description App role: Secrets.Write.
         */
        put: operations["tokenKeysPut"];
        post?: never;
        /**
         * Deletes a token key
         * @description App role: Secrets.Write.
         */
        delete: operations["tokenKeysDelete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/tokenKeys/{name}/reveal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reveals a token key
         * @description App role: Secrets.Reveal.
         */
        post: operations["tokenKeysReveal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/tokenKeys/reveal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reveals a page of tokenKeys
         * @description App role: Secrets.Reveal.
         */
        post: operations["tokenKeysRevealPage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/dataKeys/generate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Generates data keys, plain and wrapped. Send a random text in x-keyward-nonce, and the key status repeats it.
         * @description App role: DataKeys.Use.
         */
        post: operations["dataKeysGenerate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/dataKeys/generateWithoutPlaintext": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Generates data keys, wrapped only
         * @description App role: DataKeys.Use.
         */
        post: operations["dataKeysGenerateWithoutPlaintext"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/dataKeys/wrap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Wraps the caller's own data keys; one that is no data key stops none of the others
         * @description App role: DataKeys.Use.
         */
        post: operations["dataKeysWrap"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/dataKeys/unwrap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Unwraps data keys. A key that does not unwrap does not stop the others. Send a random text in x-keyward-nonce, and the key status repeats it.
         * @description App role: DataKeys.Use.
         */
        post: operations["dataKeysUnwrap"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/dataKeys/rewrap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Wraps data keys under the newest generation of the account key, without plaintext
         * @description App role: DataKeys.Use.
         */
        post: operations["dataKeysRewrap"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/accounts/{accountName}/keyStatus": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gets a key status. 304: no newer one exists than that of If-None-Match. Send a random text in x-keyward-nonce, and the key status repeats it.
         * @description App role: DataKeys.Use.
         */
        get: operations["keyStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keyStatus/jwks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Returns the public keys that verify key statuses
         * @description Open to all callers.
         */
        get: operations["keyStatusJwks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/dataKeyGenerations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the generations of an account key that have wrapped data keys, and their last use
         * @description App role: Keys.Operate.
         */
        get: operations["operatorDataKeyUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/dataKeyGenerations/{generation}/destroy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Destroys an older generation for ever; its wrapped data keys no longer open
         * @description App role: Keys.Operate.
         */
        post: operations["operatorDestroyDataKeyGeneration"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/repairIdentity": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Gives an account another identity for the same customer key, while the key is not accessible
         * @description App role: Keys.Operate.
         */
        post: operations["operatorRepairIdentity"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/claims": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Returns the owner that holds a vault, tenant or identity
         * @description App role: Keys.Operate.
         */
        get: operations["operatorClaimsGet"];
        put?: never;
        post?: never;
        /**
         * Releases a claim that no account uses
         * @description App role: Keys.Release.
         */
        delete: operations["operatorClaimsRelease"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/owners/{owner}/links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists an owner's links that work now
         * @description App role: Links.Create.
         */
        get: operations["operatorLinksList"];
        put?: never;
        /**
         * Creates a link that shows a customer its own keys
         * @description App role: Links.Create.
         */
        post: operations["operatorLinksCreate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/owners/{owner}/links/{linkId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revokes a link at once
         * @description App role: Links.Create.
         */
        delete: operations["operatorLinksRevoke"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/customer/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the keys of the link's owner
         * @description With a customer's link.
         */
        get: operations["customerKeys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/customer/receipts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the signed receipts of revocations of the link's owner
         * @description With a customer's link.
         */
        get: operations["customerReceipts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/customer/dryRun": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Checks a key of the link's owner against its vault
         * @description With a customer's link.
         */
        post: operations["customerDryRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/customer/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How to connect a key, with the ids of this service
         * @description With a customer's link.
         */
        get: operations["customerPlan"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/customer/whatIf": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What would happen if the customer changed a key or its vault
         * @description With a customer's link.
         */
        post: operations["customerWhatIf"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/drills": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The published bounds of a revocation, and what the last drills measured
         * @description App role: Keys.Operate.
         */
        get: operations["operatorDrills"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/identities": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The principals that vaults are called as, and who denies them
         * @description App role: Keys.Operate.
         */
        get: operations["operatorIdentities"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/identities/confirmDenials": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Says that denials which are held back are the customers' own
         * @description App role: Keys.Operate.
         */
        post: operations["operatorConfirmDenials"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/looks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Checks a key now, and returns the result
         * @description App role: Keys.Operate.
         */
        post: operations["operatorLooks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/keys/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counts the accounts of a key by version, and says which versions are safe to disable
         * @description App role: Keys.Operate.
         */
        get: operations["operatorKeyUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/keys/accounts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the accounts that one version wraps
         * @description App role: Keys.Operate.
         */
        get: operations["operatorKeyAccounts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/rewraps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Re-wraps one account at once, or a key's accounts in the background
         * @description App role: Keys.Operate.
         */
        post: operations["operatorRewraps"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/rings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the service’s own rings, the keys that wrap them, and the progress of a rotation
         * @description App role: Keys.Operate.
         */
        get: operations["operatorRings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/rings/{ring}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Starts a new KEK for a ring, or retries the pass of a rotation that is stuck
         * @description App role: Keys.Operate.
         */
        post: operations["operatorRotateRing"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists accounts by state, status, cause, owner, key and name, with counts
         * @description App role: Accounts.Read.
         */
        get: operations["operatorAccounts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists customer keys with their status, versions and accounts
         * @description App role: Keys.Operate.
         */
        get: operations["operatorKeys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/owners/{owner}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gets an owner: its keys, and the counts of its accounts
         * @description App role: Keys.Operate.
         */
        get: operations["operatorOwner"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists audit entries of all accounts, keys and the service by time
         * @description App role: Audit.Read.
         */
        get: operations["operatorTimeline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads an account's audit, also after its deletion
         * @description App role: Audit.Read.
         */
        get: operations["operatorAccountAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Verifies an account's chain
         * @description App role: Audit.Read.
         */
        post: operations["operatorAccountAuditVerify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/instances": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the present account of a name, and those that were deleted
         * @description App role: Audit.Read.
         */
        get: operations["operatorAccountInstances"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/bindings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the bindings of a key: each has a chain of its own
         * @description App role: Audit.Read.
         */
        get: operations["operatorBindings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/bindings/{bindingId}/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads the audit of a key's binding
         * @description App role: Audit.Read.
         */
        get: operations["operatorBindingAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/bindings/{bindingId}/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Verifies the chain of a key's binding
         * @description App role: Audit.Read.
         */
        post: operations["operatorBindingAuditVerify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reads the service's own audit
         * @description App role: Audit.Read.
         */
        get: operations["operatorAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Verifies the service's own chain
         * @description App role: Audit.Read.
         */
        post: operations["operatorAuditVerify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/audit/erase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Erases the owner and the actors from the audit of a deleted account
         * @description App role: Accounts.Delete.
         */
        post: operations["operatorAuditErase"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/audit/verification": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Returns the result of the daily verification of all chains
         * @description App role: Audit.Read.
         */
        get: operations["operatorAuditVerification"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/audit/checkpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the signed checkpoints of the last 30 days, the oldest first
         * @description App role: Audit.Read.
         */
        get: operations["operatorAuditCheckpoints"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operator/accounts/{accountName}/revocationReceipts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Returns the signed receipts of an account's revocations, the newest last
         * @description App role: Audit.Read.
         */
        get: operations["operatorRevocationReceipts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/audit/jwks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Returns all public keys that ever verified receipts and checkpoints
         * @description Open to all callers.
         */
        get: operations["auditJwks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receives events of Event Grid, in either schema
         * @description App role: AzureEventGridSecureWebhookSubscriber.
         */
        post: operations["eventsReceive"];
        delete?: never;
        /**
         * Consents to deliveries of Event Grid in the CloudEvents schema
         * @description Open to all callers.
         */
        options: operations["eventsHandshake"];
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Answers while the process runs
         * @description Open to all callers.
         */
        get: operations["healthLive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists the dependencies of this service and whether each one answers
         * @description App role: Audit.Read.
         */
        get: operations["healthReady"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Returns this document
         * @description App role: Accounts.Read.
         */
        get: operations["openApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @example {
         *       "error": {
         *         "code": "InvalidParameter",
         *         "message": "An account name has 3 to 64 letters, digits and hyphens, and begins and ends with a letter or digit.",
         *         "target": "accountName"
         *       }
         *     }
         */
        ErrorAnswer: {
            error: {
                code: components["schemas"]["ErrorCode"];
                message: string;
                /** @description The parameter or property that is wrong. */
                target?: string;
                details?: components["schemas"]["ErrorDetail"][];
                additionalInfo?: {
                    /** @constant */
                    type: "Keyward";
                    /** @description Flat facts for programs, among them `cause`. */
                    info: {
                        [key: string]: string | number;
                    };
                }[];
            };
        };
        /**
         * @description One of a closed list. The message may change.
         * @enum {string}
         */
        ErrorCode: "InvalidRequestContent" | "InvalidParameter" | "UnsupportedApiVersionValue" | "DataKeyNotAuthentic" | "DataKeyGenerationDestroyed" | "PropertyNotChangeable" | "UnsupportedMediaType" | "MethodNotAllowed" | "AuthenticationFailed" | "AuthorizationFailed" | "CustomerKeyInaccessible" | "AccountNotFound" | "NotFound" | "InvalidResourceType" | "AccountPendingDeletion" | "Conflict" | "PreconditionFailed" | "RequestTooLarge" | "TooManyRequests" | "InternalError" | "StorageRejected" | "StateDamaged" | "CustomerKeyUnreachable" | "ServiceUnavailable" | "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable";
        ErrorDetail: {
            /** @enum {string} */
            code: "InvalidRequestContent" | "InvalidParameter" | "UnsupportedApiVersionValue" | "DataKeyNotAuthentic" | "DataKeyGenerationDestroyed" | "PropertyNotChangeable" | "UnsupportedMediaType" | "MethodNotAllowed" | "AuthenticationFailed" | "AuthorizationFailed" | "CustomerKeyInaccessible" | "AccountNotFound" | "NotFound" | "InvalidResourceType" | "AccountPendingDeletion" | "Conflict" | "PreconditionFailed" | "RequestTooLarge" | "TooManyRequests" | "InternalError" | "StorageRejected" | "StateDamaged" | "CustomerKeyUnreachable" | "ServiceUnavailable" | "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable" | "KeyNearExpiry";
            message: string;
            /** @description The parameter or property that is wrong. */
            target?: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "id": "/accounts/contoso-media",
         *           "name": "contoso-media",
         *           "type": "Keyward/accounts",
         *           "location": "westeurope",
         *           "tags": {
         *             "team": "media"
         *           },
         *           "properties": {
         *             "accountId": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *             "owner": "contoso",
         *             "state": "Enabled",
         *             "provisioningState": "Succeeded",
         *             "encryption": {
         *               "type": "CustomerKey",
         *               "keyVaultProperties": {
         *                 "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media",
         *                 "currentKeyIdentifier": "https://contoso-keys.vault.azure.net/keys/media/2f1c0d9e8b7a46559483726150a1b2c3"
         *               },
         *               "identity": {
         *                 "useSystemAssignedIdentity": true,
         *                 "principalId": "3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f"
         *               },
         *               "accountKeyGeneration": 2,
         *               "status": "Suspect",
         *               "served": "untilLeaseEnd",
         *               "servedUntil": "2026-11-23T19:54:00.000Z",
         *               "lastCheckedAt": "2026-11-23T19:49:00.000Z",
         *               "since": "2026-11-23T19:49:00.000Z",
         *               "lastAccessibleAt": "2026-11-23T19:48:00.000Z",
         *               "keyReleasedBy": "2026-11-23T19:54:00.000Z",
         *               "cause": "KeyDisabled",
         *               "meaning": "The key version that wraps the account key is disabled.",
         *               "whoActs": "customer",
         *               "remedy": "Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version 2f1c0d9e8b7a46559483726150a1b2c3 --enabled true",
         *               "nextLookAt": "2026-11-23T19:49:10.000Z",
         *               "warnings": []
         *             }
         *           },
         *           "systemData": {
         *             "createdAt": "2026-11-23T19:40:00.000Z",
         *             "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *           },
         *           "etag": "\"0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff.2\""
         *         }
         *       ]
         *     }
         */
        AccountList: {
            value: components["schemas"]["Account"][];
            /** @description Accounts of this page whose stored rows are not as Keyward wrote them. The log names each row. */
            damaged?: string[];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media",
         *       "name": "contoso-media",
         *       "type": "Keyward/accounts",
         *       "location": "westeurope",
         *       "tags": {
         *         "team": "media"
         *       },
         *       "properties": {
         *         "accountId": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *         "owner": "contoso",
         *         "state": "Enabled",
         *         "provisioningState": "Succeeded",
         *         "encryption": {
         *           "type": "CustomerKey",
         *           "keyVaultProperties": {
         *             "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media",
         *             "currentKeyIdentifier": "https://contoso-keys.vault.azure.net/keys/media/2f1c0d9e8b7a46559483726150a1b2c3"
         *           },
         *           "identity": {
         *             "useSystemAssignedIdentity": true,
         *             "principalId": "3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f"
         *           },
         *           "accountKeyGeneration": 2,
         *           "status": "Suspect",
         *           "served": "untilLeaseEnd",
         *           "servedUntil": "2026-11-23T19:54:00.000Z",
         *           "lastCheckedAt": "2026-11-23T19:49:00.000Z",
         *           "since": "2026-11-23T19:49:00.000Z",
         *           "lastAccessibleAt": "2026-11-23T19:48:00.000Z",
         *           "keyReleasedBy": "2026-11-23T19:54:00.000Z",
         *           "cause": "KeyDisabled",
         *           "meaning": "The key version that wraps the account key is disabled.",
         *           "whoActs": "customer",
         *           "remedy": "Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version 2f1c0d9e8b7a46559483726150a1b2c3 --enabled true",
         *           "nextLookAt": "2026-11-23T19:49:10.000Z",
         *           "warnings": []
         *         }
         *       },
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff.2\""
         *     }
         */
        Account: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts";
            location: string;
            tags: {
                [key: string]: string;
            };
            properties: {
                /**
                 * Format: uuid
                 * @description Differs from that of a later account of the same name.
                 */
                accountId: string;
                owner: string;
                /** @enum {string} */
                state: "Enabled" | "CustomerKeyInaccessible" | "PendingDeletion";
                /**
                 * Format: date-time
                 * @description Present while the deletion of the account is pending.
                 */
                deletedAt?: string;
                /**
                 * Format: date-time
                 * @description When Keyward destroys the key of the deleted account. Until then, recover brings it back.
                 */
                scheduledPurgeAt?: string;
                /** @constant */
                provisioningState: "Succeeded";
                subscriptionId?: string;
                resourceGroupName?: string;
                /** @constant */
                auditKeyUse?: true;
                /** @description Present when the account shortens the lease of its key. */
                leaseSeconds?: number;
                encryption: {
                    /** @constant */
                    type: "SystemKey";
                    accountKeyGeneration: number;
                    olderAccountKeys?: {
                        /** @enum {string} */
                        phase: "moving" | "retiring";
                        /** Format: date-time */
                        since: string;
                        generations: number[];
                    };
                } | {
                    /** @constant */
                    type: "CustomerKey";
                    keyVaultProperties: {
                        /**
                         * @description https://{vault}/keys/{key}, with or without a version.
                         * @example https://contoso-keys.vault.azure.net/keys/media
                         */
                        keyIdentifier: string;
                        /** @description The version that wraps the account key now. */
                        currentKeyIdentifier: string;
                    };
                    identity: components["schemas"]["Identity"];
                    accountKeyGeneration: number;
                    olderAccountKeys?: {
                        /** @enum {string} */
                        phase: "moving" | "retiring";
                        /** Format: date-time */
                        since: string;
                        generations: number[];
                    };
                    /**
                     * @description Unknown: Keyward has not checked the key for longer than twice the longest time between two checks.
                     * @enum {string}
                     */
                    status: "Accessible" | "Suspect" | "Inaccessible" | "Unreachable" | "Unknown";
                    /**
                     * @description Whether the data plane can use the key now. untilLeaseEnd: only processes that hold the account key, until servedUntil.
                     * @enum {string}
                     */
                    served: "yes" | "untilLeaseEnd" | "no";
                    /** Format: date-time */
                    servedUntil?: string;
                    /** Format: date-time */
                    lastCheckedAt?: string;
                    /** Format: date-time */
                    since?: string;
                    /** Format: date-time */
                    lastAccessibleAt?: string;
                    /**
                     * Format: date-time
                     * @description The latest time at which a process could still use the account key of a revoked customer key.
                     */
                    keyReleasedBy?: string;
                    cause?: components["schemas"]["Cause"];
                    meaning?: string;
                    /**
                     * @description Who must act. `none`: no action is needed.
                     * @enum {string}
                     */
                    whoActs?: "customer" | "operator" | "none";
                    /** @description The command to run, or the step to take. */
                    remedy?: string;
                    /** Format: date-time */
                    nextLookAt?: string;
                    warnings: components["schemas"]["KeyWarning"][];
                };
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /** @description The managed identity that reaches the key. */
        Identity: {
            /**
             * Format: uuid
             * @description The object id of the identity that calls the vault; grants name it.
             */
            principalId?: string;
            /** Format: uuid */
            clientId?: string;
            /** @constant */
            useSystemAssignedIdentity: true;
        } | {
            /**
             * Format: uuid
             * @description The object id of the identity that calls the vault; grants name it.
             */
            principalId?: string;
            /** Format: uuid */
            clientId?: string;
            /** @constant */
            useSystemAssignedIdentity: false;
            userAssignedIdentity: string;
        } | {
            /**
             * Format: uuid
             * @description The object id of the identity that calls the vault; grants name it.
             */
            principalId?: string;
            /** Format: uuid */
            clientId?: string;
            /** @constant */
            useSystemAssignedIdentity: false;
            userAssignedIdentity: string;
            /** Format: uuid */
            federatedIdentityClientId: string;
            /** Format: uuid */
            tenantId: string;
        };
        /**
         * @description The cause that a check of the key found.
         * @enum {string}
         */
        Cause: "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable";
        KeyWarning: {
            /** @constant */
            code: "NewVersionUnusable";
            keyVersion: string;
            cause: components["schemas"]["Cause"];
            /** Format: date-time */
            since: string;
            remedy: string;
        } | {
            /** @constant */
            code: "NewerVersionAvailable";
            keyVersion: string;
            rotation?: {
                /** Format: date-time */
                since: string;
                done: number;
                failed: number;
            };
        } | {
            /** @constant */
            code: "KeyNotReadable";
            cause: components["schemas"]["Cause"];
            /** Format: date-time */
            since: string;
            remedy: string;
        } | {
            /** @enum {string} */
            code: "KeyNearExpiry" | "KeyExpired";
            /** Format: date-time */
            expiresOn: string;
        };
        /** @description When it was created and last written. */
        SystemData: {
            /** Format: date-time */
            createdAt: string;
            /** Format: date-time */
            lastModifiedAt: string;
        };
        /**
         * @description A new account needs location and owner, which never change. Absent properties keep their values.
         * @example {
         *       "location": "westeurope",
         *       "tags": {
         *         "team": "media"
         *       },
         *       "properties": {
         *         "owner": "contoso"
         *       }
         *     }
         * @example {
         *       "properties": {
         *         "encryption": {
         *           "type": "CustomerKey",
         *           "keyVaultProperties": {
         *             "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media"
         *           }
         *         }
         *       }
         *     }
         */
        AccountInput: {
            /**
             * @description The region of the account's vaults.
             * @example westeurope
             */
            location?: string | null;
            tags?: {
                [key: string]: string;
            } | null;
            properties?: {
                /** @example contoso */
                owner?: string | null;
                subscriptionId?: string | null;
                /** @description With subscriptionId: the path of the account on the routes of Azure Media Services. */
                resourceGroupName?: string | null;
                encryption?: {
                    /** @enum {string} */
                    type: "SystemKey" | "CustomerKey";
                    keyVaultProperties?: {
                        /** @example https://contoso-keys.vault.azure.net/keys/media */
                        keyIdentifier?: string | null;
                        readonly currentKeyIdentifier?: unknown;
                    } | null;
                    identity?: {
                        useSystemAssignedIdentity: boolean;
                        /** @description This must be a resource id. */
                        userAssignedIdentity?: string | null;
                        federatedIdentityClientId?: string | null;
                        tenantId?: string | null;
                        readonly principalId?: unknown;
                        readonly clientId?: unknown;
                    } | null;
                    readonly status?: unknown;
                    readonly served?: unknown;
                    readonly servedUntil?: unknown;
                    readonly lastCheckedAt?: unknown;
                    readonly cause?: unknown;
                    readonly since?: unknown;
                    readonly lastAccessibleAt?: unknown;
                    readonly nextLookAt?: unknown;
                    readonly keyReleasedBy?: unknown;
                    readonly meaning?: unknown;
                    readonly whoActs?: unknown;
                    readonly remedy?: unknown;
                    readonly accountKeyGeneration?: unknown;
                    readonly warnings?: unknown;
                    readonly olderAccountKeys?: unknown;
                } | null;
                /** @description Keyward audits every use of the account's key and every reveal. */
                auditKeyUse?: boolean | null;
                /** @description Shortens the time for which a process or a client may hold a key of the account: 60 to 300 seconds, or 0 when every use must call the vault. Absent: 300. */
                leaseSeconds?: (0 | number) | null;
                readonly accountId?: unknown;
                readonly state?: unknown;
                readonly deletedAt?: unknown;
                readonly scheduledPurgeAt?: unknown;
                readonly provisioningState?: unknown;
            } | null;
            readonly id?: unknown;
            readonly name?: unknown;
            readonly type?: unknown;
            readonly etag?: unknown;
            readonly systemData?: unknown;
        };
        /**
         * @description Every check, in a fixed order; empty for the system key.
         * @example {
         *       "valid": false,
         *       "checks": [
         *         {
         *           "name": "region",
         *           "result": "fail",
         *           "cause": "RegionMismatch",
         *           "seen": "northeurope",
         *           "message": "The vault is in the region northeurope, and the account in westeurope.",
         *           "whoActs": "customer",
         *           "remedy": "Use a vault in westeurope."
         *         }
         *       ]
         *     }
         */
        EncryptionValidation: {
            valid: boolean;
            checks: {
                /** @enum {string} */
                name: "identifierForm" | "hostAllowed" | "ownerMayUse" | "identityToken" | "vaultReachable" | "keyReadable" | "keyType" | "keySize" | "keyEnabled" | "keyActivation" | "keyExpiry" | "keyOperations" | "softDelete" | "purgeProtection" | "region" | "ownerTag" | "unwrapProof";
                /** @enum {string} */
                result: "pass" | "fail" | "warn" | "unknown";
                /** @enum {string} */
                cause?: "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable" | "KeyNearExpiry";
                message: string;
                seen?: string;
                /**
                 * @description Who must act. `none`: no action is needed.
                 * @enum {string}
                 */
                whoActs?: "customer" | "operator" | "none";
                remedy?: string;
            }[];
        };
        /**
         * @description The body of PUT or PATCH. waitSeconds: how long Keyward repeats the checks while permission is missing.
         * @example {
         *       "properties": {
         *         "encryption": {
         *           "type": "CustomerKey",
         *           "keyVaultProperties": {
         *             "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media"
         *           }
         *         }
         *       },
         *       "waitSeconds": 30
         *     }
         */
        EncryptionDryRun: {
            /**
             * @description The region of the account's vaults.
             * @example westeurope
             */
            location?: string | null;
            tags?: {
                [key: string]: string;
            } | null;
            properties?: {
                /** @example contoso */
                owner?: string | null;
                subscriptionId?: string | null;
                /** @description With subscriptionId: the path of the account on the routes of Azure Media Services. */
                resourceGroupName?: string | null;
                encryption?: {
                    /** @enum {string} */
                    type: "SystemKey" | "CustomerKey";
                    keyVaultProperties?: {
                        /** @example https://contoso-keys.vault.azure.net/keys/media */
                        keyIdentifier?: string | null;
                        readonly currentKeyIdentifier?: unknown;
                    } | null;
                    identity?: {
                        useSystemAssignedIdentity: boolean;
                        /** @description This must be a resource id. */
                        userAssignedIdentity?: string | null;
                        federatedIdentityClientId?: string | null;
                        tenantId?: string | null;
                        readonly principalId?: unknown;
                        readonly clientId?: unknown;
                    } | null;
                    readonly status?: unknown;
                    readonly served?: unknown;
                    readonly servedUntil?: unknown;
                    readonly lastCheckedAt?: unknown;
                    readonly cause?: unknown;
                    readonly since?: unknown;
                    readonly lastAccessibleAt?: unknown;
                    readonly nextLookAt?: unknown;
                    readonly keyReleasedBy?: unknown;
                    readonly meaning?: unknown;
                    readonly whoActs?: unknown;
                    readonly remedy?: unknown;
                    readonly accountKeyGeneration?: unknown;
                    readonly warnings?: unknown;
                    readonly olderAccountKeys?: unknown;
                } | null;
                /** @description Keyward audits every use of the account's key and every reveal. */
                auditKeyUse?: boolean | null;
                /** @description Shortens the time for which a process or a client may hold a key of the account: 60 to 300 seconds, or 0 when every use must call the vault. Absent: 300. */
                leaseSeconds?: (0 | number) | null;
                readonly accountId?: unknown;
                readonly state?: unknown;
                readonly deletedAt?: unknown;
                readonly scheduledPurgeAt?: unknown;
                readonly provisioningState?: unknown;
            } | null;
            readonly id?: unknown;
            readonly name?: unknown;
            readonly type?: unknown;
            readonly etag?: unknown;
            readonly systemData?: unknown;
            waitSeconds?: number | null;
        };
        /**
         * @description waitSeconds: how long to check again while permission is missing.
         * @example {}
         * @example {
         *       "waitSeconds": 30
         *     }
         */
        AccountDryRun: {
            waitSeconds?: number | null;
        };
        /**
         * @description Without identity: the system-assigned one. Without owner: the one that has claimed the vault. Without location: the region is not compared.
         * @example {
         *       "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media"
         *     }
         * @example {
         *       "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media",
         *       "owner": "contoso",
         *       "location": "westeurope"
         *     }
         */
        KeyDryRun: {
            /** @example https://contoso-keys.vault.azure.net/keys/media */
            keyIdentifier: string;
            identity?: {
                useSystemAssignedIdentity: boolean;
                /** @description This must be a resource id. */
                userAssignedIdentity?: string | null;
                federatedIdentityClientId?: string | null;
                tenantId?: string | null;
                readonly principalId?: unknown;
                readonly clientId?: unknown;
            } | null;
            owner?: string | null;
            location?: string | null;
            waitSeconds?: number | null;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "id": "/accounts/contoso-media/contentKeys/9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *           "name": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *           "type": "Keyward/accounts/contentKeys",
         *           "properties": {
         *             "id": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *             "labelReferenceInStreamingPolicy": "cenc-default"
         *           },
         *           "systemData": {
         *             "createdAt": "2026-11-23T19:40:00.000Z",
         *             "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *           },
         *           "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *         }
         *       ]
         *     }
         */
        ContentKeyList: {
            value: components["schemas"]["ContentKey"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media/contentKeys/9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *       "name": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *       "type": "Keyward/accounts/contentKeys",
         *       "properties": {
         *         "id": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *         "labelReferenceInStreamingPolicy": "cenc-default"
         *       },
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *     }
         */
        ContentKey: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/contentKeys";
            properties: {
                /** Format: uuid */
                id: string;
                labelReferenceInStreamingPolicy?: string;
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /**
         * @description When absent, an existing key keeps its value.
         * @example {
         *       "properties": {
         *         "length": 16,
         *         "labelReferenceInStreamingPolicy": "cenc-default"
         *       }
         *     }
         * @example {
         *       "properties": {
         *         "value": "hJ5h5tHxPYp6JQ3dqYRz0g=="
         *       }
         *     }
         */
        ContentKeyInput: {
            readonly id?: unknown;
            readonly name?: unknown;
            readonly type?: unknown;
            readonly etag?: unknown;
            readonly systemData?: unknown;
            properties?: {
                value?: string | null;
                /** @description The length in bytes of a key that Keyward generates. */
                length?: (16 | 32) | null;
                labelReferenceInStreamingPolicy?: string | null;
                readonly id?: unknown;
                readonly accountKeyGeneration?: unknown;
            } | null;
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media/contentKeys/9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *       "name": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *       "type": "Keyward/accounts/contentKeys",
         *       "properties": {
         *         "id": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *         "labelReferenceInStreamingPolicy": "cenc-default",
         *         "value": "hJ5h5tHxPYp6JQ3dqYRz0g=="
         *       },
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *     }
         */
        RevealedContentKey: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/contentKeys";
            properties: {
                /** Format: uuid */
                id: string;
                labelReferenceInStreamingPolicy?: string;
                /** @description 16 or 32 bytes. */
                value: string;
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "id": "/accounts/contoso-media/contentKeys/9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *           "name": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *           "type": "Keyward/accounts/contentKeys",
         *           "properties": {
         *             "id": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *             "labelReferenceInStreamingPolicy": "cenc-default",
         *             "value": "hJ5h5tHxPYp6JQ3dqYRz0g=="
         *           },
         *           "systemData": {
         *             "createdAt": "2026-11-23T19:40:00.000Z",
         *             "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *           },
         *           "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *         }
         *       ]
         *     }
         */
        RevealedContentKeyList: {
            value: (components["schemas"]["RevealedContentKey"] | components["schemas"]["BrokenContentKey"])[];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description Secrets of the page that do not open, or that belong to another secret. They do not stop the others. */
        BrokenContentKey: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/contentKeys";
            properties: {
                /** Format: uuid */
                id: string;
                labelReferenceInStreamingPolicy?: string;
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
            error: components["schemas"]["ErrorDetail"];
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "id": "/accounts/contoso-media/jobInputs/trailer",
         *           "name": "trailer",
         *           "type": "Keyward/accounts/jobInputs",
         *           "properties": {
         *             "label": "trailer"
         *           },
         *           "systemData": {
         *             "createdAt": "2026-11-23T19:40:00.000Z",
         *             "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *           },
         *           "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *         }
         *       ]
         *     }
         */
        JobInputList: {
            value: components["schemas"]["JobInput"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media/jobInputs/trailer",
         *       "name": "trailer",
         *       "type": "Keyward/accounts/jobInputs",
         *       "properties": {
         *         "label": "trailer"
         *       },
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *     }
         */
        JobInput: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/jobInputs";
            properties: {
                label?: string;
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /**
         * @description When baseUri and files are absent, an existing job input keeps them.
         * @example {
         *       "properties": {
         *         "baseUri": "https://contoso.blob.core.windows.net/input/?sv=2025-05-05&sig=c2lnbmF0dXJl",
         *         "files": [
         *           "trailer.mp4"
         *         ],
         *         "label": "trailer"
         *       }
         *     }
         */
        JobInputInput: {
            readonly id?: unknown;
            readonly name?: unknown;
            readonly type?: unknown;
            readonly etag?: unknown;
            readonly systemData?: unknown;
            properties?: {
                baseUri?: string | null;
                files?: string[] | null;
                label?: string | null;
            } | null;
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media/jobInputs/trailer",
         *       "name": "trailer",
         *       "type": "Keyward/accounts/jobInputs",
         *       "properties": {
         *         "label": "trailer",
         *         "baseUri": "https://contoso.blob.core.windows.net/input/",
         *         "files": [
         *           "trailer.mp4"
         *         ]
         *       },
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *     }
         */
        RevealedJobInput: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/jobInputs";
            properties: {
                label?: string;
                /** @description An absolute https URL. */
                baseUri?: string;
                /** @description Absolute https URLs, or paths below baseUri. */
                files: string[];
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "id": "/accounts/contoso-media/jobInputs/trailer",
         *           "name": "trailer",
         *           "type": "Keyward/accounts/jobInputs",
         *           "properties": {
         *             "label": "trailer",
         *             "baseUri": "https://contoso.blob.core.windows.net/input/",
         *             "files": [
         *               "trailer.mp4"
         *             ]
         *           },
         *           "systemData": {
         *             "createdAt": "2026-11-23T19:40:00.000Z",
         *             "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *           },
         *           "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *         }
         *       ]
         *     }
         */
        RevealedJobInputList: {
            value: (components["schemas"]["RevealedJobInput"] | components["schemas"]["BrokenJobInput"])[];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description Secrets of the page that do not open, or that belong to another secret. They do not stop the others. */
        BrokenJobInput: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/jobInputs";
            properties: {
                label?: string;
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
            error: components["schemas"]["ErrorDetail"];
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media/jobInputs/trailer",
         *       "name": "trailer",
         *       "type": "Keyward/accounts/jobInputs",
         *       "properties": {
         *         "label": "trailer",
         *         "baseUri": "https://contoso.blob.core.windows.net/input/?sv=2025-05-05&sig=c2lnbmF0dXJl",
         *         "files": [
         *           "trailer.mp4"
         *         ]
         *       },
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *     }
         */
        ResolvedJobInput: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/jobInputs";
            properties: {
                label?: string;
                /** @description An absolute https URL. */
                baseUri?: string;
                /** @description Absolute https URLs, or paths below baseUri. */
                files: string[];
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "id": "/accounts/contoso-media/tokenKeys/player",
         *           "name": "player",
         *           "type": "Keyward/accounts/tokenKeys",
         *           "properties": {},
         *           "systemData": {
         *             "createdAt": "2026-11-23T19:40:00.000Z",
         *             "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *           },
         *           "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *         }
         *       ]
         *     }
         */
        TokenKeyList: {
            value: components["schemas"]["TokenKey"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media/tokenKeys/player",
         *       "name": "player",
         *       "type": "Keyward/accounts/tokenKeys",
         *       "properties": {},
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *     }
         */
        TokenKey: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/tokenKeys";
            properties: Record<string, never>;
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /**
         * @description When keyValue is absent, an existing key keeps its value.
         * @example {
         *       "properties": {
         *         "keyValue": "5tHxPYp6JQ3dqYRz0gBv2Q=="
         *       }
         *     }
         */
        TokenKeyInput: {
            readonly id?: unknown;
            readonly name?: unknown;
            readonly type?: unknown;
            readonly etag?: unknown;
            readonly systemData?: unknown;
            properties?: {
                keyValue?: string | null;
            } | null;
        };
        /**
         * @example {
         *       "id": "/accounts/contoso-media/tokenKeys/player",
         *       "name": "player",
         *       "type": "Keyward/accounts/tokenKeys",
         *       "properties": {
         *         "keyValue": "5tHxPYp6JQ3dqYRz0gBv2Q=="
         *       },
         *       "systemData": {
         *         "createdAt": "2026-11-23T19:40:00.000Z",
         *         "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *       },
         *       "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *     }
         */
        RevealedTokenKey: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/tokenKeys";
            properties: {
                /** @description 1 to 1,024 bytes. */
                keyValue: string;
            };
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "id": "/accounts/contoso-media/tokenKeys/player",
         *           "name": "player",
         *           "type": "Keyward/accounts/tokenKeys",
         *           "properties": {
         *             "keyValue": "5tHxPYp6JQ3dqYRz0gBv2Q=="
         *           },
         *           "systemData": {
         *             "createdAt": "2026-11-23T19:40:00.000Z",
         *             "lastModifiedAt": "2026-11-23T19:41:00.000Z"
         *           },
         *           "etag": "\"5b9f0c1a-7c0e-4f4e-9d2a-3c1d2e4f5a6b\""
         *         }
         *       ]
         *     }
         */
        RevealedTokenKeyList: {
            value: (components["schemas"]["RevealedTokenKey"] | components["schemas"]["BrokenTokenKey"])[];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description Secrets of the page that do not open, or that belong to another secret. They do not stop the others. */
        BrokenTokenKey: {
            id: string;
            name: string;
            /** @constant */
            type: "Keyward/accounts/tokenKeys";
            properties: Record<string, never>;
            systemData: components["schemas"]["SystemData"];
            /** @description The value of the header ETag; send it back in If-Match. */
            etag: string;
            error: components["schemas"]["ErrorDetail"];
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "plaintext": "hJ5h5tHxPYp6JQ3dqYRz0hJ5h5tHxPYp6JQ3dqYRz0g=",
         *           "wrapped": "AQMPHi08S1pJeIaVpLPC0eD/AAAAAobVqmGkGwXs4xRCvL1WnWcUuPVo8yKbXQ9cUfc3o5b4tWSe0y2pUPOSnQpbV6e1cE9hH0mC3KpQm7k1Zc8oXwDpx2lYhQvVb0m3pP4="
         *         }
         *       ],
         *       "accountKeyGeneration": 2,
         *       "keyStatus": "eyJhbGciOiJFZERTQSJ9.eyJhY2NvdW50IjoiY29udG9zby1tZWRpYSJ9.c2lnbmF0dXJl"
         *     }
         */
        GeneratedDataKeys: {
            value: {
                /** @description A data key of 16 or 32 bytes. */
                plaintext: string;
                /** @description Store it beside the data. Format: docs/envelope.md. */
                wrapped: string;
            }[];
            /** @description The newest generation of the account key. */
            accountKeyGeneration: number;
            /** @description A JWS with Ed25519. The caller may use the plaintext of this answer until its `notAfter`. Format: docs/envelope.md. */
            keyStatus: string;
        };
        /**
         * @example {
         *       "count": 2,
         *       "context": {
         *         "table": "patients"
         *       }
         *     }
         */
        DataKeysInput: {
            /** @description Absent: 1. */
            count?: number | null;
            /** @description The length of each key in bytes. Absent: 32. */
            length?: (16 | 32) | null;
            context?: components["schemas"]["EncryptionContext"] | null;
        };
        /**
         * @description Facts about the data that are not secret. The unwrap call must send the same ones. At most 16 pairs; a key has 1 to 128 bytes of UTF-8, a value at most 512.
         * @example {
         *       "table": "patients"
         *     }
         */
        EncryptionContext: {
            [key: string]: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "wrapped": "AQMPHi08S1pJeIaVpLPC0eD/AAAAAobVqmGkGwXs4xRCvL1WnWcUuPVo8yKbXQ9cUfc3o5b4tWSe0y2pUPOSnQpbV6e1cE9hH0mC3KpQm7k1Zc8oXwDpx2lYhQvVb0m3pP4="
         *         }
         *       ],
         *       "accountKeyGeneration": 2
         *     }
         */
        WrappedDataKeys: {
            value: {
                /** @description Store it beside the data. Format: docs/envelope.md. */
                wrapped: string;
            }[];
            /** @description The newest generation of the account key. */
            accountKeyGeneration: number;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "wrapped": "AQMPHi08S1pJeIaVpLPC0eD/AAAAAobVqmGkGwXs4xRCvL1WnWcUuPVo8yKbXQ9cUfc3o5b4tWSe0y2pUPOSnQpbV6e1cE9hH0mC3KpQm7k1Zc8oXwDpx2lYhQvVb0m3pP4="
         *         }
         *       ],
         *       "accountKeyGeneration": 2
         *     }
         */
        WrappedOwnDataKeys: {
            value: ({
                /** @description Store it beside the data. Format: docs/envelope.md. */
                wrapped: string;
            } | {
                error: components["schemas"]["ErrorDetail"];
            })[];
            /** @description The newest generation of the account key. */
            accountKeyGeneration: number;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "plaintext": "hJ5h5tHxPYp6JQ3dqYRz0hJ5h5tHxPYp6JQ3dqYRz0g=",
         *           "context": {
         *             "table": "patients"
         *           }
         *         }
         *       ]
         *     }
         */
        PlainDataKeys: {
            value: {
                /** @description A data key of 16 or 32 bytes. */
                plaintext: string;
                context?: components["schemas"]["EncryptionContext"] | null;
            }[];
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "plaintext": "hJ5h5tHxPYp6JQ3dqYRz0hJ5h5tHxPYp6JQ3dqYRz0g=",
         *           "accountKeyGeneration": 1
         *         }
         *       ],
         *       "accountKeyGeneration": 2,
         *       "keyStatus": "eyJhbGciOiJFZERTQSJ9.eyJhY2NvdW50IjoiY29udG9zby1tZWRpYSJ9.c2lnbmF0dXJl"
         *     }
         */
        UnwrappedDataKeys: {
            value: ({
                /** @description A data key of 16 or 32 bytes. */
                plaintext: string;
                /** @description The generation of the account key that wraps this key. */
                accountKeyGeneration: number;
            } | {
                error: components["schemas"]["ErrorDetail"];
            })[];
            /** @description The newest generation of the account key. */
            accountKeyGeneration: number;
            /** @description A JWS with Ed25519. The caller may use the plaintext of this answer until its `notAfter`. Format: docs/envelope.md. */
            keyStatus: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "wrapped": "AQMPHi08S1pJeIaVpLPC0eD/AAAAAobVqmGkGwXs4xRCvL1WnWcUuPVo8yKbXQ9cUfc3o5b4tWSe0y2pUPOSnQpbV6e1cE9hH0mC3KpQm7k1Zc8oXwDpx2lYhQvVb0m3pP4=",
         *           "context": {
         *             "table": "patients"
         *           }
         *         }
         *       ]
         *     }
         */
        WrappedDataKeysInput: {
            value: {
                /** @description As Keyward returned it. */
                wrapped: string;
                context?: components["schemas"]["EncryptionContext"] | null;
            }[];
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "wrapped": "AQMPHi08S1pJeIaVpLPC0eD/AAAAAobVqmGkGwXs4xRCvL1WnWcUuPVo8yKbXQ9cUfc3o5b4tWSe0y2pUPOSnQpbV6e1cE9hH0mC3KpQm7k1Zc8oXwDpx2lYhQvVb0m3pP4=",
         *           "accountKeyGeneration": 2
         *         }
         *       ],
         *       "accountKeyGeneration": 2
         *     }
         */
        RewrappedDataKeys: {
            value: ({
                /** @description Store it beside the data. Format: docs/envelope.md. */
                wrapped: string;
                /** @description The generation of the account key that wraps this key. */
                accountKeyGeneration: number;
            } | {
                error: components["schemas"]["ErrorDetail"];
            })[];
            /** @description The newest generation of the account key. */
            accountKeyGeneration: number;
        };
        /**
         * @example {
         *       "keyStatus": "eyJhbGciOiJFZERTQSJ9.eyJhY2NvdW50IjoiY29udG9zby1tZWRpYSJ9.c2lnbmF0dXJl"
         *     }
         */
        KeyStatusAnswer: {
            /** @description A JWS with Ed25519. The caller may use the plaintext of this answer until its `notAfter`. Format: docs/envelope.md. */
            keyStatus: string;
        };
        /**
         * @description A JWK set (RFC 7517).
         * @example {
         *       "keys": [
         *         {
         *           "kty": "OKP",
         *           "crv": "Ed25519",
         *           "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
         *           "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
         *           "alg": "EdDSA",
         *           "use": "sig"
         *         }
         *       ]
         *     }
         */
        KeyStatusKeys: {
            keys: {
                /** @constant */
                kty: "OKP";
                /** @constant */
                crv: "Ed25519";
                x: string;
                kid: string;
                /** @constant */
                alg: "EdDSA";
                /** @constant */
                use: "sig";
            }[];
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "generation": 1,
         *           "isNewest": false,
         *           "since": "2026-05-02T08:00:00.000Z",
         *           "supersededAt": "2026-11-02T08:00:00.000Z",
         *           "lastSeenAt": "2026-11-20T12:30:00.000Z"
         *         },
         *         {
         *           "generation": 2,
         *           "isNewest": true,
         *           "since": "2026-11-02T08:00:00.000Z"
         *         }
         *       ]
         *     }
         */
        DataKeyUsage: {
            value: {
                generation: number;
                isNewest: boolean;
                /**
                 * Format: date-time
                 * @description When the generation began to wrap data keys.
                 */
                since: string;
                /** Format: date-time */
                supersededAt?: string;
                /**
                 * Format: date-time
                 * @description When a data key of this generation was last unwrapped or wrapped again, to within ten minutes. Absent: never.
                 */
                lastSeenAt?: string;
                /** Format: date-time */
                destroyedAt?: string;
            }[];
        };
        /**
         * @example {
         *       "notSeenSince": "2026-11-21T00:00:00.000Z"
         *     }
         */
        DestroyInput: {
            /**
             * Format: date-time
             * @description A time from the usage. Keyward refuses the call when the last use is later.
             */
            notSeenSince: string;
        };
        /**
         * @example {
         *       "identity": {
         *         "useSystemAssignedIdentity": true
         *       }
         *     }
         */
        IdentityRepair: {
            identity: {
                useSystemAssignedIdentity: boolean;
                /** @description This must be a resource id. */
                userAssignedIdentity?: string | null;
                federatedIdentityClientId?: string | null;
                tenantId?: string | null;
                readonly principalId?: unknown;
                readonly clientId?: unknown;
            };
        };
        /**
         * @example {
         *       "kind": "vault",
         *       "value": "contoso-keys.vault.azure.net",
         *       "owner": "contoso",
         *       "claimedAt": "2026-11-23T19:41:00.000Z"
         *     }
         */
        Claim: {
            /**
             * @example vault
             * @enum {string}
             */
            kind: "vault" | "tenant" | "userAssignedIdentity";
            /** @example contoso-keys.vault.azure.net */
            value: string;
            owner: string;
            /** Format: date-time */
            claimedAt: string;
        };
        /**
         * @example {
         *       "id": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *       "owner": "contoso",
         *       "createdAt": "2026-11-23T19:40:00.000Z",
         *       "expiresAt": "2026-11-24T19:40:00.000Z",
         *       "createdBy": "55555555-5555-4555-8555-555555555551",
         *       "address": "https://keyward.example/console/customer#…"
         *     }
         */
        CreatedCustomerLink: {
            /** Format: uuid */
            id: string;
            owner: string;
            /** Format: date-time */
            createdAt: string;
            /** Format: date-time */
            expiresAt: string;
            /** @description The object id of the caller that created the link. */
            createdBy: string;
            /** @description Send it to the customer. The text after # is the bearer token of the calls below /api/customer. */
            address: string;
        };
        /**
         * @description hours: how long the link works, 168 at most. Absent: 24. identity: the one through which the customer's first key will be used, as in an account.
         * @example {}
         * @example {
         *       "hours": 48
         *     }
         */
        CustomerLinkInput: {
            hours?: number | null;
            identity?: {
                useSystemAssignedIdentity: boolean;
                /** @description This must be a resource id. */
                userAssignedIdentity?: string | null;
                federatedIdentityClientId?: string | null;
                tenantId?: string | null;
                readonly principalId?: unknown;
                readonly clientId?: unknown;
            } | null;
        };
        /**
         * @description Links that work now.
         * @example {
         *       "value": [
         *         {
         *           "id": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *           "owner": "contoso",
         *           "createdAt": "2026-11-23T19:40:00.000Z",
         *           "expiresAt": "2026-11-24T19:40:00.000Z",
         *           "createdBy": "55555555-5555-4555-8555-555555555551"
         *         }
         *       ]
         *     }
         */
        CustomerLinkList: {
            value: {
                /** Format: uuid */
                id: string;
                owner: string;
                /** Format: date-time */
                createdAt: string;
                /** Format: date-time */
                expiresAt: string;
                /** @description The object id of the caller that created the link. */
                createdBy: string;
            }[];
        };
        /**
         * @description The keys of the link's owner. Bounds count from the vault's first refusal.
         * @example {
         *       "owner": "contoso",
         *       "bounds": {
         *         "disabledSeconds": 96,
         *         "deletedSeconds": 126,
         *         "permissionRemovedSeconds": 156,
         *         "releasedSeconds": 370
         *       },
         *       "value": [
         *         {
         *           "key": "https://contoso-keys.vault.azure.net/keys/media",
         *           "bindingId": "6a09e667f3bcc908b2fb1366ea957d3e",
         *           "identity": {
         *             "useSystemAssignedIdentity": true
         *           },
         *           "owner": "contoso",
         *           "accounts": 1,
         *           "status": "Inaccessible",
         *           "since": "2026-11-23T19:49:00.000Z",
         *           "cause": "KeyDisabled",
         *           "meaning": "The key version that wraps the account key is disabled.",
         *           "whoActs": "customer",
         *           "remedy": "Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version 2f1c0d9e8b7a46559483726150a1b2c3 --enabled true",
         *           "checkedAt": "2026-11-23T19:50:00.000Z",
         *           "nextCheckAt": "2026-11-23T19:50:40.000Z",
         *           "versions": [
         *             {
         *               "version": "2f1c0d9e8b7a46559483726150a1b2c3",
         *               "inUse": true,
         *               "status": "Inaccessible",
         *               "since": "2026-11-23T19:49:00.000Z",
         *               "cause": "KeyDisabled",
         *               "isLatest": true,
         *               "safeToDisable": false
         *             }
         *           ]
         *         }
         *       ]
         *     }
         */
        CustomerKeys: {
            owner: string;
            bounds: {
                /** @description A version is disabled: all its accounts are blocked within this time. */
                disabledSeconds: number;
                deletedSeconds: number;
                permissionRemovedSeconds: number;
                /** @description No process and no client holds a usable key after this time. */
                releasedSeconds: number;
            };
            value: components["schemas"]["OverviewKey"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description A customer key. Its status is the worst of its versions in use. */
        OverviewKey: {
            /**
             * @description https://{vault}/keys/{key}, with or without a version.
             * @example https://contoso-keys.vault.azure.net/keys/media
             */
            key: string;
            bindingId: string;
            identity: components["schemas"]["Identity"];
            owner: string;
            accounts: number;
            /**
             * @description Of the key. Unknown: Keyward has not checked the key for too long.
             * @enum {string}
             */
            status: "Accessible" | "Suspect" | "Inaccessible" | "Unreachable" | "Unknown";
            /** Format: date-time */
            since: string;
            cause?: components["schemas"]["Cause"];
            meaning?: string;
            /**
             * @description Who must act. `none`: no action is needed.
             * @enum {string}
             */
            whoActs?: "customer" | "operator" | "none";
            /** @description What to type, or to do. */
            remedy?: string;
            /**
             * Format: date-time
             * @description The last check was at this time or later.
             */
            checkedAt: string;
            /**
             * Format: date-time
             * @description The next check is at this time or earlier.
             */
            nextCheckAt: string;
            versions: {
                version: string;
                /** @description The version wraps the key of an account. */
                inUse: boolean;
                /**
                 * @description Of the key. Unknown: Keyward has not checked the key for too long.
                 * @enum {string}
                 */
                status?: "Accessible" | "Suspect" | "Inaccessible" | "Unreachable" | "Unknown";
                /** Format: date-time */
                since?: string;
                cause?: components["schemas"]["Cause"];
                /** @description Absent: the newest version is not known. */
                isLatest?: boolean;
                /** Format: date-time */
                notLatestSince?: string;
                /** Format: date-time */
                expiresOn?: string;
                safeToDisable: boolean;
            }[];
            rotation?: {
                to: string;
                /** Format: date-time */
                since: string;
                failed: number;
                /** @description The first accounts that could not be re-wrapped. */
                failures?: {
                    account: string;
                    /** @enum {string} */
                    code: "InvalidRequestContent" | "InvalidParameter" | "UnsupportedApiVersionValue" | "DataKeyNotAuthentic" | "DataKeyGenerationDestroyed" | "PropertyNotChangeable" | "UnsupportedMediaType" | "MethodNotAllowed" | "AuthenticationFailed" | "AuthorizationFailed" | "CustomerKeyInaccessible" | "AccountNotFound" | "NotFound" | "InvalidResourceType" | "AccountPendingDeletion" | "Conflict" | "PreconditionFailed" | "RequestTooLarge" | "TooManyRequests" | "InternalError" | "StorageRejected" | "StateDamaged" | "CustomerKeyUnreachable" | "ServiceUnavailable" | "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable";
                    meaning: string;
                    /** @enum {string} */
                    whoActs: "customer" | "operator" | "caller" | "none";
                    remedy: string;
                }[];
            };
            newestUnknown?: {
                /** Format: date-time */
                since: string;
                cause: components["schemas"]["Cause"];
            };
            unusableVersion?: {
                version: string;
                cause: components["schemas"]["Cause"];
                /** Format: date-time */
                since: string;
                remedy: string;
            };
        };
        /**
         * @description The signed receipts of revocations, by account of the link's owner.
         * @example {
         *       "value": [],
         *       "keys": []
         *     }
         */
        CustomerReceipts: {
            value: {
                /** Format: uuid */
                accountId: string;
                sequence: number;
                /** @description A compact JWS (RFC 7515), signed with Ed25519. */
                receipt: string;
                account: string;
            }[];
            /** @description The public keys, so that a saved answer can be verified offline. */
            keys: {
                /** @constant */
                kty: "OKP";
                /** @constant */
                crv: "Ed25519";
                x: string;
                kid: string;
                /** @constant */
                alg: "EdDSA";
                /** @constant */
                use: "sig";
            }[];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /**
         * @description Keyward uses the identity of this key, or else that of the link, of the owner's other keys, or its own. Without location, regions are not compared.
         * @example {
         *       "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media",
         *       "location": "westeurope"
         *     }
         */
        CustomerDryRun: {
            /** @example https://contoso-keys.vault.azure.net/keys/media */
            keyIdentifier: string;
            location?: string | null;
        };
        /**
         * @description The same for the Azure CLI, Bicep and Terraform.
         * @example {
         *       "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media",
         *       "region": "westeurope",
         *       "requirements": "A vault in westeurope with Azure RBAC, soft delete and purge protection.",
         *       "role": "Key Vault Crypto Service Encryption User",
         *       "scope": "Microsoft.KeyVault/vaults/contoso-keys/keys/media",
         *       "principalId": "3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f",
         *       "az": [
         *         {
         *           "what": "Create the vault, unless you have one.",
         *           "commands": [
         *             "az group create --name contoso-keys --location westeurope",
         *             "az keyvault create --name contoso-keys --resource-group contoso-keys --location westeurope --enable-rbac-authorization true --enable-purge-protection true --retention-days 90"
         *           ]
         *         },
         *         {
         *           "what": "Create the key, with a new version every year.",
         *           "commands": [
         *             "az keyvault key create --vault-name contoso-keys --name media --kty RSA --size 3072 --ops wrapKey unwrapKey",
         *             "az keyvault key rotation-policy update --vault-name contoso-keys --name media --value '{\"lifetimeActions\":[{\"trigger\":{\"timeAfterCreate\":\"P1Y\"},\"action\":{\"type\":\"Rotate\"}}]}'"
         *           ]
         *         },
         *         {
         *           "what": "Give this service its role, on this key only.",
         *           "commands": [
         *             "az role assignment create --role \"Key Vault Crypto Service Encryption User\" --assignee-object-id 3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f --assignee-principal-type ServicePrincipal --scope \"$(az keyvault show --name contoso-keys --query id -o tsv)/keys/media\""
         *           ]
         *         }
         *       ],
         *       "bicep": {
         *         "file": "keyward.bicep",
         *         "text": "var cryptoServiceEncryptionUser = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'\n\nresource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {\n  name: 'contoso-keys'\n}\n\nresource key 'Microsoft.KeyVault/vaults/keys@2026-02-01' = {\n  parent: vault\n  name: 'media'\n  properties: {\n    kty: 'RSA'\n    keySize: 3072\n    keyOps: [\n      'wrapKey'\n      'unwrapKey'\n    ]\n    rotationPolicy: {\n      lifetimeActions: [\n        {\n          trigger: {\n            timeAfterCreate: 'P1Y'\n          }\n          action: {\n            type: 'rotate'\n          }\n        }\n      ]\n    }\n  }\n}\n\nresource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = {\n  name: guid(key.id, '3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f', cryptoServiceEncryptionUser)\n  scope: key\n  properties: {\n    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoServiceEncryptionUser)\n    principalId: '3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f'\n    principalType: 'ServicePrincipal'\n  }\n}\n\noutput keyIdentifier string = key.properties.keyUri\n",
         *         "apply": "az deployment group create --resource-group \"$(az keyvault show --name contoso-keys --query resourceGroup -o tsv)\" --template-file keyward.bicep --query properties.outputs.keyIdentifier.value -o tsv"
         *       },
         *       "terraform": {
         *         "file": "keyward.tf",
         *         "text": "terraform {\n  required_providers {\n    azurerm = {\n      source  = \"hashicorp/azurerm\"\n      version = \"~> 4.0\"\n    }\n  }\n}\n\nprovider \"azurerm\" {\n  environment = \"public\"\n  features {}\n}\n\nvariable \"resource_group_name\" {\n  type        = string\n  description = \"The resource group of the vault.\"\n}\n\ndata \"azurerm_key_vault\" \"vault\" {\n  name                = \"contoso-keys\"\n  resource_group_name = var.resource_group_name\n}\n\nresource \"azurerm_key_vault_key\" \"key\" {\n  name         = \"media\"\n  key_vault_id = data.azurerm_key_vault.vault.id\n  key_type     = \"RSA\"\n  key_size     = 3072\n  key_opts     = [\"wrapKey\", \"unwrapKey\"]\n\n  rotation_policy {\n    automatic {\n      time_after_creation = \"P1Y\"\n    }\n  }\n}\n\nresource \"azurerm_role_assignment\" \"service\" {\n  scope                = azurerm_key_vault_key.key.resource_versionless_id\n  role_definition_name = \"Key Vault Crypto Service Encryption User\"\n  principal_id         = \"3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f\"\n  principal_type       = \"ServicePrincipal\"\n}\n\noutput \"key_identifier\" {\n  value = azurerm_key_vault_key.key.versionless_id\n}\n",
         *         "apply": "terraform init && terraform apply -var \"resource_group_name=$(az keyvault show --name contoso-keys --query resourceGroup -o tsv)\""
         *       }
         *     }
         */
        ConnectionPlan: {
            keyIdentifier: string;
            region: string;
            /** @description What the vault must have. */
            requirements: string;
            role: string;
            /** @description The role is given on this one key. */
            scope: string;
            /**
             * Format: uuid
             * @description Absent across tenants until this service has called the vault.
             */
            principalId?: string;
            /** @description Across tenants: what the customer installs, and the page where an administrator consents. */
            application?: {
                /** Format: uuid */
                clientId: string;
                /** Format: uuid */
                tenantId: string;
                consentAddress: string;
            };
            az: {
                what: string;
                commands: string[];
            }[];
            /** @description Absent for a Managed HSM, which has roles of its own. */
            bicep?: {
                file: string;
                text: string;
                apply: string;
            };
            terraform: {
                file: string;
                text: string;
                apply: string;
            };
        };
        /**
         * @description Nothing was changed.
         * @example {
         *       "act": "disableVersion",
         *       "cause": "KeyDisabled",
         *       "meaning": "The key version that wraps the account key is disabled.",
         *       "effect": "blocked",
         *       "accounts": [
         *         {
         *           "name": "contoso-media",
         *           "key": "https://contoso-keys.vault.azure.net/keys/media",
         *           "version": "2f1c0d9e8b7a46559483726150a1b2c3",
         *           "isPinned": false
         *         }
         *       ],
         *       "isComplete": true,
         *       "withinSeconds": 96,
         *       "keyReleasedWithinSeconds": 370,
         *       "first": [
         *         "Create a new version: az keyvault key rotate --vault-name contoso-keys --name media"
         *       ],
         *       "undo": "Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version 2f1c0d9e8b7a46559483726150a1b2c3 --enabled true"
         *     }
         */
        CustomerForecast: {
            /** @enum {string} */
            act: "disableVersion" | "deleteKey" | "removeRole" | "closeFirewall" | "letExpire" | "deleteVault";
            /**
             * @description The result of the key checks after it.
             * @enum {string}
             */
            cause: "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable";
            meaning: string;
            /**
             * @description blocked: every call but reading, listing and deleting the account is refused. unavailable: calls that need the key answer 503. none: no account stops.
             * @enum {string}
             */
            effect: "blocked" | "unavailable" | "none";
            /** @description The accounts that stop. */
            accounts: {
                name: string;
                key: string;
                version: string;
                isPinned: boolean;
            }[];
            /** @description False: the vault has more accounts than one answer counts. */
            isComplete: boolean;
            /** @description From the vault's first refusal. */
            withinSeconds?: number;
            /** @description No process and no client holds a usable key after this time. */
            keyReleasedWithinSeconds?: number;
            /** @description What to do before. */
            first: string[];
            undo?: string;
        };
        /**
         * @example {
         *       "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media/2f1c0d9e8b7a46559483726150a1b2c3",
         *       "act": "disableVersion"
         *     }
         */
        CustomerWhatIf: {
            /**
             * @description With the version for disableVersion and letExpire.
             * @example https://contoso-keys.vault.azure.net/keys/media
             */
            keyIdentifier: string;
            /** @enum {string} */
            act: "disableVersion" | "deleteKey" | "removeRole" | "closeFirewall" | "letExpire" | "deleteVault";
        };
        /**
         * @example {
         *       "isOn": true,
         *       "bounds": {
         *         "refusedSeconds": 96,
         *         "restoredSeconds": 38
         *       },
         *       "value": [
         *         {
         *           "at": "2026-11-23T19:17:00.000Z",
         *           "outcome": "met",
         *           "refusedSeconds": 71.4,
         *           "restoredSeconds": 22.1
         *         }
         *       ]
         *     }
         */
        DrillList: {
            /** @description KEYWARD_DRILL_KEY is set. */
            isOn: boolean;
            bounds: {
                refusedSeconds: number;
                restoredSeconds: number;
            };
            /** @description The newest first, at most 48. */
            value: components["schemas"]["Drill"][];
        };
        /** @description missed: a bound was exceeded. failed: the drill could not be made. */
        Drill: {
            /** Format: date-time */
            at: string;
            /** @enum {string} */
            outcome: "met" | "missed" | "failed";
            refusedSeconds?: number;
            restoredSeconds?: number;
            error?: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "identity": {
         *             "useSystemAssignedIdentity": true,
         *             "principalId": "3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f",
         *             "clientId": "8f0e3c1f-2d4b-4c6a-9f7e-1a2b3c4d5e6f"
         *           },
         *           "isHeldBack": false,
         *           "denials": [
         *             {
         *               "owner": "contoso",
         *               "since": "2026-11-23T19:41:00.000Z"
         *             }
         *           ]
         *         }
         *       ]
         *     }
         */
        OwnIdentityList: {
            value: components["schemas"]["OwnIdentity"][];
        };
        /**
         * @example {
         *       "identity": {
         *         "useSystemAssignedIdentity": true,
         *         "principalId": "3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f",
         *         "clientId": "8f0e3c1f-2d4b-4c6a-9f7e-1a2b3c4d5e6f"
         *       },
         *       "isHeldBack": false,
         *       "denials": [
         *         {
         *           "owner": "contoso",
         *           "since": "2026-11-23T19:41:00.000Z"
         *         }
         *       ]
         *     }
         */
        OwnIdentity: {
            identity: components["schemas"]["Identity"];
            /** @description Denials of several owners began together: Keyward's own fault. */
            isHeldBack: boolean;
            /** @description Owners whose vaults denied another principal than the granted one, or one that nothing names. */
            denials: {
                owner: string;
                /** Format: date-time */
                since: string;
            }[];
            /** Format: date-time */
            announcedAt?: string;
            /**
             * Format: date-time
             * @description An operator said that the denials up to then count.
             */
            confirmedAt?: string;
        };
        /**
         * @example {}
         * @example {
         *       "identity": {
         *         "useSystemAssignedIdentity": true
         *       }
         *     }
         */
        DenialConfirmation: {
            identity?: {
                useSystemAssignedIdentity: boolean;
                /** @description This must be a resource id. */
                userAssignedIdentity?: string | null;
                federatedIdentityClientId?: string | null;
                tenantId?: string | null;
                readonly principalId?: unknown;
                readonly clientId?: unknown;
            } | null;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "key": "https://contoso-keys.vault.azure.net/keys/media",
         *           "identity": {
         *             "useSystemAssignedIdentity": true
         *           },
         *           "nextLookAt": "2026-11-23T19:51:00.000Z",
         *           "versions": [
         *             {
         *               "version": "2f1c0d9e8b7a46559483726150a1b2c3",
         *               "status": "Accessible",
         *               "since": "2026-11-23T19:41:00.000Z",
         *               "lookedAt": "2026-11-23T19:50:00.000Z",
         *               "lastAccessibleAt": "2026-11-23T19:50:00.000Z"
         *             }
         *           ]
         *         }
         *       ]
         *     }
         */
        Looks: {
            value: {
                /**
                 * @description https://{vault}/keys/{key}, with or without a version.
                 * @example https://contoso-keys.vault.azure.net/keys/media
                 */
                key: string;
                identity: components["schemas"]["Identity"];
                /** Format: date-time */
                nextLookAt: string;
                versions: {
                    version: string;
                    /** @enum {string} */
                    status: "Accessible" | "Suspect" | "Inaccessible" | "Unreachable" | "Unknown";
                    /** Format: date-time */
                    since: string;
                    /** Format: date-time */
                    lookedAt: string;
                    /** Format: date-time */
                    lastAccessibleAt: string;
                    cause?: components["schemas"]["Cause"];
                    meaning?: string;
                    /**
                     * @description Who must act. `none`: no action is needed.
                     * @enum {string}
                     */
                    whoActs?: "customer" | "operator" | "none";
                    remedy?: string;
                }[];
            }[];
        };
        /**
         * @example {
         *       "account": "contoso-media"
         *     }
         * @example {
         *       "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media"
         *     }
         */
        AccountOrKey: {
            account: string;
        } | {
            /** @example https://contoso-keys.vault.azure.net/keys/media */
            keyIdentifier: string;
        };
        /**
         * @example {
         *       "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media",
         *       "asOf": "2026-11-23T19:50:00.000Z",
         *       "versions": [
         *         {
         *           "version": "2f1c0d9e8b7a46559483726150a1b2c3",
         *           "accounts": 12,
         *           "pinned": 0,
         *           "isLatest": true,
         *           "safeToDisable": false
         *         }
         *       ],
         *       "rotations": [],
         *       "unusableVersions": []
         *     }
         */
        KeyUsage: {
            /**
             * @description https://{vault}/keys/{key}, with or without a version.
             * @example https://contoso-keys.vault.azure.net/keys/media
             */
            keyIdentifier: string;
            /** Format: date-time */
            asOf: string;
            versions: {
                version: string;
                accounts: number;
                /** @description Accounts of these that are pinned to the version: only their owner can change that. */
                pinned: number;
                /** @description Absent when Keyward does not know the newest version. */
                isLatest?: boolean;
                /** Format: date-time */
                notLatestSince?: string;
                safeToDisable: boolean;
            }[];
            rotations: {
                to: string;
                /** Format: date-time */
                since: string;
                done: number;
                left: number;
                failed: number;
                /** @description The first accounts that could not be re-wrapped. */
                failures?: {
                    account: string;
                    /** @enum {string} */
                    code: "InvalidRequestContent" | "InvalidParameter" | "UnsupportedApiVersionValue" | "DataKeyNotAuthentic" | "DataKeyGenerationDestroyed" | "PropertyNotChangeable" | "UnsupportedMediaType" | "MethodNotAllowed" | "AuthenticationFailed" | "AuthorizationFailed" | "CustomerKeyInaccessible" | "AccountNotFound" | "NotFound" | "InvalidResourceType" | "AccountPendingDeletion" | "Conflict" | "PreconditionFailed" | "RequestTooLarge" | "TooManyRequests" | "InternalError" | "StorageRejected" | "StateDamaged" | "CustomerKeyUnreachable" | "ServiceUnavailable" | "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable";
                    meaning: string;
                    /** @enum {string} */
                    whoActs: "customer" | "operator" | "caller" | "none";
                    remedy: string;
                }[];
                /** @constant */
                waiting?: true;
            }[];
            /** @description Keyward cannot read the newest version, so it does not follow rotations. */
            newestUnknown?: {
                /** Format: date-time */
                since: string;
                cause: components["schemas"]["Cause"];
            };
            unusableVersions: {
                version: string;
                cause: components["schemas"]["Cause"];
                /** Format: date-time */
                since: string;
                remedy: string;
            }[];
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "account": "contoso-media",
         *           "owner": "contoso",
         *           "follows": true,
         *           "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media"
         *         }
         *       ]
         *     }
         */
        KeyHolderList: {
            value: components["schemas"]["KeyHolder"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        KeyHolder: {
            account: string;
            owner: string;
            follows: boolean;
            /**
             * @description https://{vault}/keys/{key}, with or without a version.
             * @example https://contoso-keys.vault.azure.net/keys/media
             */
            keyIdentifier: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "ring": "system",
         *           "sealing": 1,
         *           "since": "2026-11-23T19:40:00.000Z",
         *           "generations": [
         *             {
         *               "generation": 1,
         *               "createdAt": "2026-11-23T19:40:00.000Z",
         *               "keys": [
         *                 "https://keyward-operator.vault.azure.net/keys/system/2f1c0d9e8b7a46559483726150a1b2c3"
         *               ],
         *               "recoveryKeys": []
         *             }
         *           ]
         *         }
         *       ],
         *       "keysCheckedAt": "2026-11-23T19:44:00.000Z",
         *       "keysAnswered": true
         *     }
         */
        RingList: {
            value: components["schemas"]["Ring"][];
            /**
             * Format: date-time
             * @description When Keyward last read the newest versions of the operator’s keys.
             */
            keysCheckedAt?: string;
            /** @description Whether Keyward could read and verify all of them. */
            keysAnswered?: boolean;
        };
        /**
         * @example {
         *       "ring": "system",
         *       "sealing": 1,
         *       "since": "2026-11-23T19:40:00.000Z",
         *       "generations": [
         *         {
         *           "generation": 1,
         *           "createdAt": "2026-11-23T19:40:00.000Z",
         *           "keys": [
         *             "https://keyward-operator.vault.azure.net/keys/system/2f1c0d9e8b7a46559483726150a1b2c3"
         *           ],
         *           "recoveryKeys": []
         *         }
         *       ]
         *     }
         */
        Ring: {
            /** @enum {string} */
            ring: "system" | "at-rest" | "audit";
            /** @description The generation that encrypts. */
            sealing: number;
            /**
             * Format: date-time
             * @description Since when this generation encrypts.
             */
            since?: string;
            /**
             * Format: date-time
             * @description When Keyward makes the next KEK because of this one’s age.
             */
            nextRotationAt?: string;
            generations: {
                generation: number;
                /** Format: date-time */
                createdAt?: string;
                /** @description The versions of the operator’s keys that wrap it. */
                keys: string[];
                recoveryKeys: string[];
            }[];
            rotation?: {
                /** @enum {string} */
                phase: "arriving" | "moving" | "retiring";
                to: number;
                /** Format: date-time */
                since: string;
                pass?: {
                    round: number;
                    /** Format: date-time */
                    startAt: string;
                    /** @description Accounts processed in this round. */
                    visited: number;
                    /** @description Rows under an older generation, in this round. */
                    found: number;
                    /** @description Rows of these that could not be decrypted. */
                    stuck: number;
                    /** @description Rows sealed again, in all rounds. */
                    moved: number;
                };
            };
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "name": "contoso-media",
         *           "accountId": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *           "owner": "contoso",
         *           "location": "westeurope",
         *           "createdAt": "2026-11-23T19:40:00.000Z",
         *           "state": "CustomerKeyInaccessible",
         *           "served": "no",
         *           "encryption": "CustomerKey",
         *           "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/media",
         *           "status": "Inaccessible",
         *           "since": "2026-11-23T19:49:00.000Z",
         *           "lastCheckedAt": "2026-11-23T19:52:00.000Z",
         *           "cause": "KeyDisabled",
         *           "meaning": "The key version that wraps the account key is disabled.",
         *           "whoActs": "customer",
         *           "remedy": "Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version 2f1c0d9e8b7a46559483726150a1b2c3 --enabled true",
         *           "keyReleasedBy": "2026-11-23T19:54:00.000Z"
         *         }
         *       ]
         *     }
         */
        OverviewAccountList: {
            value: components["schemas"]["OverviewAccount"][];
            /** @description On the first page: of the key or owner of the filter, or of the service. */
            counts?: components["schemas"]["OverviewCounts"];
            /**
             * Format: date-time
             * @description No key of the service was last checked before this time.
             */
            checkedSince?: string;
            /** @description On the first page without a filter: the last daily verification of all audit chains that finished. `GET /api/operator/audit/verification` names broken chains. */
            auditVerification?: {
                /** Format: date-time */
                finishedAt: string;
                chains: number;
                brokenCount: number;
            };
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description GET of the account has everything about it. */
        OverviewAccount: {
            name: string;
            /** Format: uuid */
            accountId: string;
            owner: string;
            location: string;
            /** Format: date-time */
            createdAt: string;
            /** @enum {string} */
            state: "Enabled" | "CustomerKeyInaccessible" | "PendingDeletion";
            /** Format: date-time */
            deletedAt?: string;
            /** Format: date-time */
            scheduledPurgeAt?: string;
            /**
             * @description What the data plane gets now.
             * @enum {string}
             */
            served?: "yes" | "untilLeaseEnd" | "no";
            /** Format: date-time */
            servedUntil?: string;
            /** @enum {string} */
            encryption: "SystemKey" | "CustomerKey";
            /**
             * @description https://{vault}/keys/{key}, with or without a version.
             * @example https://contoso-keys.vault.azure.net/keys/media
             */
            keyIdentifier?: string;
            /**
             * @description Of the key. Unknown: Keyward has not checked the key for too long.
             * @enum {string}
             */
            status?: "Accessible" | "Suspect" | "Inaccessible" | "Unreachable" | "Unknown";
            /** Format: date-time */
            since?: string;
            /**
             * Format: date-time
             * @description The last check of the key was at this time or later.
             */
            lastCheckedAt?: string;
            cause?: components["schemas"]["Cause"];
            meaning?: string;
            /**
             * @description Who must act. `none`: no action is needed.
             * @enum {string}
             */
            whoActs?: "customer" | "operator" | "none";
            /** @description What to type, or to do. */
            remedy?: string;
            /** Format: date-time */
            keyReleasedBy?: string;
        };
        /**
         * @description Of accounts, but for `keys`. A value that counts no account is absent.
         * @example {
         *       "accounts": 3,
         *       "keys": 2,
         *       "encryption": {
         *         "SystemKey": 1,
         *         "CustomerKey": 2
         *       },
         *       "state": {
         *         "Enabled": 2,
         *         "CustomerKeyInaccessible": 1
         *       },
         *       "status": {
         *         "Accessible": 1,
         *         "Inaccessible": 1
         *       },
         *       "cause": {
         *         "KeyDisabled": 1
         *       },
         *       "served": {
         *         "yes": 2,
         *         "no": 1
         *       }
         *     }
         */
        OverviewCounts: {
            accounts: number;
            keys: number;
            encryption: {
                [key: string]: number;
            };
            state: {
                [key: string]: number;
            };
            status: {
                [key: string]: number;
            };
            cause: {
                [key: string]: number;
            };
            /** @description untilLeaseEnd: accounts whose key is Suspect, Unreachable or Unknown, also where no process can serve them. */
            served: {
                [key: string]: number;
            };
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "key": "https://contoso-keys.vault.azure.net/keys/media",
         *           "bindingId": "6a09e667f3bcc908b2fb1366ea957d3e",
         *           "identity": {
         *             "useSystemAssignedIdentity": true
         *           },
         *           "owner": "contoso",
         *           "accounts": 1,
         *           "status": "Inaccessible",
         *           "since": "2026-11-23T19:49:00.000Z",
         *           "cause": "KeyDisabled",
         *           "meaning": "The key version that wraps the account key is disabled.",
         *           "whoActs": "customer",
         *           "remedy": "Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version 2f1c0d9e8b7a46559483726150a1b2c3 --enabled true",
         *           "checkedAt": "2026-11-23T19:50:00.000Z",
         *           "nextCheckAt": "2026-11-23T19:50:40.000Z",
         *           "versions": [
         *             {
         *               "version": "2f1c0d9e8b7a46559483726150a1b2c3",
         *               "inUse": true,
         *               "status": "Inaccessible",
         *               "since": "2026-11-23T19:49:00.000Z",
         *               "cause": "KeyDisabled",
         *               "isLatest": true,
         *               "safeToDisable": false
         *             }
         *           ]
         *         }
         *       ]
         *     }
         */
        OverviewKeyList: {
            value: components["schemas"]["OverviewKey"][];
            /** @description On the first page: of the key or owner of the filter, or of the service. */
            counts?: components["schemas"]["OverviewCounts"];
            /**
             * Format: date-time
             * @description No key of the service was last checked before this time.
             */
            checkedSince?: string;
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /**
         * @description An owner's keys, and the counts of its accounts.
         * @example {
         *       "owner": "contoso",
         *       "counts": {
         *         "accounts": 3,
         *         "keys": 2,
         *         "encryption": {
         *           "SystemKey": 1,
         *           "CustomerKey": 2
         *         },
         *         "state": {
         *           "Enabled": 2,
         *           "CustomerKeyInaccessible": 1
         *         },
         *         "status": {
         *           "Accessible": 1,
         *           "Inaccessible": 1
         *         },
         *         "cause": {
         *           "KeyDisabled": 1
         *         },
         *         "served": {
         *           "yes": 2,
         *           "no": 1
         *         }
         *       },
         *       "value": [
         *         {
         *           "key": "https://contoso-keys.vault.azure.net/keys/media",
         *           "bindingId": "6a09e667f3bcc908b2fb1366ea957d3e",
         *           "identity": {
         *             "useSystemAssignedIdentity": true
         *           },
         *           "owner": "contoso",
         *           "accounts": 1,
         *           "status": "Inaccessible",
         *           "since": "2026-11-23T19:49:00.000Z",
         *           "cause": "KeyDisabled",
         *           "meaning": "The key version that wraps the account key is disabled.",
         *           "whoActs": "customer",
         *           "remedy": "Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version 2f1c0d9e8b7a46559483726150a1b2c3 --enabled true",
         *           "checkedAt": "2026-11-23T19:50:00.000Z",
         *           "nextCheckAt": "2026-11-23T19:50:40.000Z",
         *           "versions": [
         *             {
         *               "version": "2f1c0d9e8b7a46559483726150a1b2c3",
         *               "inUse": true,
         *               "status": "Inaccessible",
         *               "since": "2026-11-23T19:49:00.000Z",
         *               "cause": "KeyDisabled",
         *               "isLatest": true,
         *               "safeToDisable": false
         *             }
         *           ]
         *         }
         *       ]
         *     }
         */
        OverviewOwner: {
            owner: string;
            counts: components["schemas"]["OverviewCounts"];
            value: components["schemas"]["OverviewKey"][];
            nextLink?: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "at": "2026-11-23T19:49:00.000Z",
         *           "subject": {
         *             "kind": "account",
         *             "account": "contoso-media",
         *             "owner": "contoso"
         *           },
         *           "entry": {
         *             "type": "CustomerKeyInaccessible",
         *             "actor": {
         *               "kind": "keyward",
         *               "id": "reconcile"
         *             },
         *             "cause": "KeyDisabled",
         *             "epoch": 1,
         *             "key": "https://contoso-keys.vault.azure.net/keys/media/2f1c0d9e8b7a46559483726150a1b2c3",
         *             "chain": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *             "sequence": 3,
         *             "at": "2026-11-23T19:49:00.000Z",
         *             "keyGeneration": 1,
         *             "previousHash": "Y2k0b9J5m0hYb0n0xk8l3gq7Jt9zqv7w2H5EmbY0dWc",
         *             "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *           }
         *         }
         *       ]
         *     }
         */
        Timeline: {
            value: components["schemas"]["TimelineEntry"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description An audit entry, with what its chain is about. */
        TimelineEntry: {
            /** Format: date-time */
            at: string;
            subject: components["schemas"]["TimelineSubject"];
            entry: components["schemas"]["AuditEntry"];
        };
        TimelineSubject: {
            /** @enum {string} */
            kind: "account" | "key" | "service";
            account?: string;
            /**
             * @description https://{vault}/keys/{key}, with or without a version.
             * @example https://contoso-keys.vault.azure.net/keys/media
             */
            key?: string;
            owner?: string;
        };
        /** @description The hash covers everything else in the entry (docs/envelope.md). */
        AuditEntry: {
            /** @enum {string} */
            type: "AccountCreated" | "AccountUpdated" | "AccountKeyChanged" | "AccountKeyRewrapped" | "AccountKeyRotated" | "IdentityRepaired" | "AccountKeyResealed" | "OlderAccountKeysRetiring" | "OlderAccountKeysDestroyed" | "AccountDeletionScheduled" | "AccountRecovered" | "AccountDeleted" | "SecretWritten" | "SecretDeleted" | "SecretsRevealed" | "JobInputResolved" | "KeyUsed" | "DataKeysUsed" | "DataKeyGenerationCreated" | "DataKeyGenerationDestroyed" | "SecretIntegrityFailed" | "CallRefused" | "ChangeDeferred" | "CustomerKeyInaccessible" | "CustomerKeyRestored" | "WatchCreated" | "WatchRestored" | "VerdictChanged" | "KeyNearExpiry" | "KeyExpired" | "IdentityUnavailable" | "IdentityAvailable" | "KeyNotReadable" | "KeyReadable" | "NewVersionFound" | "NewVersionUnusable" | "RotationStarted" | "RotationCompleted" | "ClaimReleased" | "RingRewrapped" | "RingRestored" | "RingGenerationCreated" | "RingGenerationActivated" | "RingGenerationRetiring" | "RingGenerationDestroyed" | "StateDamaged" | "IdentityReplaced" | "DenialsConfirmed" | "LinkCreated" | "LinkRevoked" | "LinkUsed" | "AuditErased";
            actor: {
                /** @enum {string} */
                kind: "principal" | "functionKey" | "customerLink" | "keyward";
                id: string;
            };
            /**
             * @description What started the work when no caller requested it.
             * @enum {string}
             */
            trigger?: "event" | "sweep" | "admin" | "wake" | "operation" | "denial";
            /** @description The id that the sender wrote. Keyward does not verify it. */
            eventId?: string;
            cause?: components["schemas"]["Cause"];
            key?: string;
            keyVaultRequestId?: string;
            epoch?: number;
            readonly secrets?: string[];
            before?: string;
            after?: string;
            claim?: string;
            ring?: string;
            row?: string;
            identity?: string;
            readonly owners?: string[];
            /** Format: date-time */
            keyReleasedBy?: string;
            /** Format: date-time */
            lastUsedAt?: string;
            /** Format: date-time */
            firstRefusedAt?: string;
            /** Format: date-time */
            confirmedAt?: string;
            firstKeyVaultRequestId?: string;
            /** Format: date-time */
            expiresOn?: string;
            /** Format: date-time */
            scheduledPurgeAt?: string;
            accounts?: number;
            /** @enum {string} */
            purpose?: "look" | "lease" | "rewrap" | "create" | "change" | "rotate" | "repair";
            durationMs?: number;
            /** @enum {string} */
            operation?: "generate" | "generateWithoutPlaintext" | "wrap" | "unwrap" | "rewrap";
            count?: number;
            readonly contexts?: string[];
            /** @enum {string} */
            asked?: "ReleaseToSystemKey" | "UseForeignKey" | "ChangeKeyWhileInaccessible" | "RepairIdentity" | "ReleaseClaim";
            /** @enum {string} */
            code?: "InvalidRequestContent" | "InvalidParameter" | "UnsupportedApiVersionValue" | "DataKeyNotAuthentic" | "DataKeyGenerationDestroyed" | "PropertyNotChangeable" | "UnsupportedMediaType" | "MethodNotAllowed" | "AuthenticationFailed" | "AuthorizationFailed" | "CustomerKeyInaccessible" | "AccountNotFound" | "NotFound" | "InvalidResourceType" | "AccountPendingDeletion" | "Conflict" | "PreconditionFailed" | "RequestTooLarge" | "TooManyRequests" | "InternalError" | "StorageRejected" | "StateDamaged" | "CustomerKeyUnreachable" | "ServiceUnavailable" | "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable";
            link?: string;
            call?: string;
            account?: string;
            accountId?: string;
            /** @description An account id, a binding id, or `service`. */
            chain: string;
            sequence: number;
            /** Format: date-time */
            at: string;
            /** @description HMAC-SHA-256, base64url. Empty before the first entry. */
            previousHash: string;
            keyGeneration: number;
            /**
             * @description Facts that name a person or an owner are pseudonyms.
             * @constant
             */
            erased?: true;
            /** @description HMAC-SHA-256, base64url. Empty before the first entry. */
            hash: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "type": "AccountKeyRewrapped",
         *           "actor": {
         *             "kind": "keyward",
         *             "id": "rewrap"
         *           },
         *           "trigger": "event",
         *           "eventId": "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001",
         *           "before": "https://contoso-keys.vault.azure.net/keys/media/2f1c0d9e8b7a46559483726150a1b2c3",
         *           "after": "https://contoso-keys.vault.azure.net/keys/media/9f1c0d9e8b7a46559483726150a1b2c3",
         *           "keyVaultRequestId": "c1f9a1d0-5d2e-4b5f-9d4e-0a1b2c3d4e5f",
         *           "chain": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *           "sequence": 7,
         *           "at": "2026-11-23T19:50:00.000Z",
         *           "keyGeneration": 1,
         *           "previousHash": "Y2k0b9J5m0hYb0n0xk8l3gq7Jt9zqv7w2H5EmbY0dWc",
         *           "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *         }
         *       ]
         *     }
         */
        AuditEntryList: {
            value: (components["schemas"]["AuditEntry"] | components["schemas"]["UnreadableAuditEntry"])[];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description A row that holds no entry that this version can read: another writer has changed it. */
        UnreadableAuditEntry: {
            sequence: number;
            /** @constant */
            unreadable: true;
        };
        /**
         * @example {
         *       "chain": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *       "result": "whole",
         *       "entries": 7,
         *       "compared": 1,
         *       "head": {
         *         "sequence": 7,
         *         "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *       },
         *       "verified": {
         *         "sequence": 7,
         *         "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *       }
         *     }
         */
        AuditVerification: {
            /** @description An account id, a binding id, or `service`. */
            chain: string;
            /**
             * @description `unfinished`: the call has used its time and found no fault so far. Continue with `after`.
             * @enum {string}
             */
            result: "whole" | "broken" | "unfinished";
            /** @description The head as stored beside the chain. */
            head: {
                sequence: number;
                /** @description HMAC-SHA-256, base64url. Empty before the first entry. */
                hash: string;
            };
            /** @description The last link that is intact. */
            verified: {
                sequence: number;
                /** @description HMAC-SHA-256, base64url. Empty before the first entry. */
                hash: string;
            };
            /** @description Links that this call has verified. */
            entries: number;
            /** @description Published heads that this call has compared and found to match. */
            compared: number;
            /** @description The first broken link. */
            broken?: {
                /** @description The name of the account, for the chain of one. */
                account?: string;
                sequence: number;
                /** @enum {string} */
                flaw: "Missing" | "Edited" | "KeyUnknown" | "Foreign" | "OutOfOrder" | "NotLinked" | "HeadDiffers" | "BeyondHead" | "AnnouncedDiffers" | "StateDamaged" | "SecretDiffers";
                /** @description `<kind>/<name>` where the flaw is about a secret. */
                secret?: string;
                meaning: string;
                /**
                 * @description Who must act. `none`: no action is needed.
                 * @enum {string}
                 */
                whoActs: "customer" | "operator" | "none";
                /** @description What to type, or to do. */
                remedy: string;
            };
        };
        /**
         * @example {}
         * @example {
         *       "announced": [
         *         {
         *           "sequence": 7,
         *           "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *         }
         *       ]
         *     }
         */
        AuditVerificationInput: {
            /** @description `verified` of an earlier call whose result was unfinished. */
            after?: components["schemas"]["AuditHead"] | null;
            /** @description Published heads of the chain, in any order. Keyward ignores those before `after`. */
            announced?: components["schemas"]["AuditHead"][] | null;
        };
        /**
         * @example {
         *       "sequence": 7,
         *       "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *     }
         */
        AuditHead: {
            sequence: number;
            hash: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "accountId": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *           "owner": "contoso",
         *           "head": {
         *             "sequence": 7,
         *             "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *           }
         *         }
         *       ]
         *     }
         */
        AccountInstanceList: {
            value: components["schemas"]["AccountInstance"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        AccountInstance: {
            /** Format: uuid */
            accountId: string;
            /** @description `(erased)` after an erasure. */
            owner: string;
            head: {
                sequence: number;
                /** @description HMAC-SHA-256, base64url. Empty before the first entry. */
                hash: string;
            };
            /**
             * Format: date-time
             * @description Absent for the present account.
             */
            deletedAt?: string;
            /**
             * Format: date-time
             * @description When the owner and the actors were erased.
             */
            erasedAt?: string;
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "bindingId": "6a09e667f3bcc908b2fb1366ea957d3e",
         *           "key": "https://contoso-keys.vault.azure.net/keys/media",
         *           "tenantId": "72f988bf-86f1-41af-91ab-2d7cd011db47",
         *           "identity": {
         *             "useSystemAssignedIdentity": true
         *           },
         *           "head": {
         *             "sequence": 3,
         *             "hash": "mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E"
         *           }
         *         }
         *       ]
         *     }
         */
        KeyBindingList: {
            value: components["schemas"]["KeyBinding"][];
        };
        KeyBinding: {
            bindingId: string;
            /**
             * @description https://{vault}/keys/{key}, with or without a version.
             * @example https://contoso-keys.vault.azure.net/keys/media
             */
            key: string;
            /** Format: uuid */
            tenantId: string;
            identity: components["schemas"]["Identity"];
            head: {
                sequence: number;
                /** @description HMAC-SHA-256, base64url. Empty before the first entry. */
                hash: string;
            };
        };
        /**
         * @example {
         *       "accountId": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *       "result": "erased",
         *       "entries": 5,
         *       "left": []
         *     }
         */
        AuditErasure: {
            /** Format: uuid */
            accountId: string;
            /**
             * @description `partial`: `left` says what remains. `unfinished`: the time of the call is over, call again.
             * @enum {string}
             */
            result: "erased" | "partial" | "unfinished";
            /** @description Entries that this call has erased. */
            entries: number;
            /** @description What still names the owner or an actor: of the entries the first 100. */
            left: {
                /** @enum {string} */
                reason: "Damaged" | "OlderFormat" | "ClaimOfOwner" | "OwnerHasAccounts";
                /** @description `<chain>/<sequence>`, `<kind>/<value>` of a claim, or an account. */
                item: string;
            }[];
            /**
             * @description More than 100 entries are left.
             * @constant
             */
            hasMore?: true;
        };
        /**
         * @example {
         *       "accountId": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff"
         *     }
         */
        AuditErasureInput: {
            /**
             * Format: uuid
             * @description Of the deleted account: see its instances.
             */
            accountId: string;
        };
        /**
         * @example {
         *       "last": {
         *         "startedAt": "2026-11-23T03:00:00.000Z",
         *         "finishedAt": "2026-11-23T03:00:00.000Z",
         *         "chains": 1200,
         *         "brokenCount": 0,
         *         "broken": []
         *       }
         *     }
         */
        AuditVerificationState: {
            /** @description The last verification that finished. Absent: none has. */
            last?: {
                /** Format: date-time */
                startedAt: string;
                /** Format: date-time */
                finishedAt: string;
                /** @description Chains that were verified. */
                chains: number;
                brokenCount: number;
                /** @description The first of them. */
                broken: {
                    chain: string;
                    /**
                     * @description https://{vault}/keys/{key}, with or without a version.
                     * @example https://contoso-keys.vault.azure.net/keys/media
                     */
                    key?: string;
                    /** @description The name of the account, for the chain of one. */
                    account?: string;
                    sequence: number;
                    /** @enum {string} */
                    flaw: "Missing" | "Edited" | "KeyUnknown" | "Foreign" | "OutOfOrder" | "NotLinked" | "HeadDiffers" | "BeyondHead" | "AnnouncedDiffers" | "StateDamaged" | "SecretDiffers";
                    /** @description `<kind>/<name>` where the flaw is about a secret. */
                    secret?: string;
                    meaning: string;
                    /**
                     * @description Who must act. `none`: no action is needed.
                     * @enum {string}
                     */
                    whoActs: "customer" | "operator" | "none";
                    /** @description What to type, or to do. */
                    remedy: string;
                }[];
            };
            /** @description The verification in progress. */
            running?: {
                /** Format: date-time */
                startedAt: string;
                chains: number;
                brokenCount: number;
                /** @description The first of them. */
                broken: {
                    chain: string;
                    /**
                     * @description https://{vault}/keys/{key}, with or without a version.
                     * @example https://contoso-keys.vault.azure.net/keys/media
                     */
                    key?: string;
                    /** @description The name of the account, for the chain of one. */
                    account?: string;
                    sequence: number;
                    /** @enum {string} */
                    flaw: "Missing" | "Edited" | "KeyUnknown" | "Foreign" | "OutOfOrder" | "NotLinked" | "HeadDiffers" | "BeyondHead" | "AnnouncedDiffers" | "StateDamaged" | "SecretDiffers";
                    /** @description `<kind>/<name>` where the flaw is about a secret. */
                    secret?: string;
                    meaning: string;
                    /**
                     * @description Who must act. `none`: no action is needed.
                     * @enum {string}
                     */
                    whoActs: "customer" | "operator" | "none";
                    /** @description What to type, or to do. */
                    remedy: string;
                }[];
            };
        };
        /**
         * @example {
         *       "value": [
         *         {
         *           "run": "2026-11-23T03:00:00.000Z",
         *           "page": 1,
         *           "checkpoint": "eyJhbGciOiJFZERTQSIsImtpZCI6Ii4uLiJ9.eyJpYXQiOjE3OTU0NjM0NjB9.c2lnbmF0dXJl"
         *         }
         *       ]
         *     }
         */
        AuditCheckpointList: {
            value: components["schemas"]["AuditCheckpoint"][];
            /**
             * Format: uri
             * @description Absent on the last page.
             */
            nextLink?: string;
        };
        /** @description Heads of verified chains, signed (docs/envelope.md). */
        AuditCheckpoint: {
            /** Format: date-time */
            run: string;
            page: number;
            /** @description A compact JWS (RFC 7515), signed with Ed25519. */
            checkpoint: string;
        };
        /**
         * @example {
         *       "receipts": [
         *         {
         *           "accountId": "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff",
         *           "sequence": 9,
         *           "receipt": "eyJhbGciOiJFZERTQSIsImtpZCI6Ii4uLiJ9.eyJpYXQiOjE3OTU0NjM0NjB9.c2lnbmF0dXJl"
         *         }
         *       ],
         *       "keys": []
         *     }
         */
        RevocationReceipts: {
            receipts: {
                /** Format: uuid */
                accountId: string;
                sequence: number;
                /** @description A compact JWS (RFC 7515), signed with Ed25519. */
                receipt: string;
            }[];
            /** @description The public keys, so that a saved answer can be verified offline. */
            keys: {
                /** @constant */
                kty: "OKP";
                /** @constant */
                crv: "Ed25519";
                x: string;
                kid: string;
                /** @constant */
                alg: "EdDSA";
                /** @constant */
                use: "sig";
            }[];
        };
        /**
         * @description The answer to the validation event of the Event Grid schema.
         * @example {
         *       "validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
         *     }
         */
        WebhookValidation: {
            validationResponse: string;
        };
        /**
         * @example {
         *       "specversion": "1.0",
         *       "id": "1",
         *       "type": "Microsoft.KeyVault.KeyNewVersionCreated",
         *       "subject": "media",
         *       "source": "/subscriptions/<id>/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/contoso-keys",
         *       "data": {
         *         "VaultName": "contoso-keys",
         *         "ObjectType": "Key",
         *         "ObjectName": "media"
         *       }
         *     }
         * @example [
         *       {
         *         "specversion": "1.0",
         *         "id": "1",
         *         "type": "Microsoft.KeyVault.KeyNewVersionCreated",
         *         "subject": "media",
         *         "source": "/subscriptions/<id>/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/contoso-keys",
         *         "data": {
         *           "VaultName": "contoso-keys",
         *           "ObjectType": "Key",
         *           "ObjectName": "media"
         *         }
         *       }
         *     ]
         */
        Delivery: unknown[] | {
            [key: string]: unknown;
        };
        /**
         * @example {
         *       "status": "alive"
         *     }
         */
        Alive: {
            /** @constant */
            status: "alive";
        };
        /**
         * @example {
         *       "status": "ready",
         *       "settings": {
         *         "status": "ok",
         *         "names": []
         *       },
         *       "parts": [
         *         {
         *           "name": "tables",
         *           "status": "ok",
         *           "durationMs": 4
         *         }
         *       ],
         *       "sweep": {
         *         "lastSweptAt": "2026-11-23T19:49:00.000Z",
         *         "ageSeconds": 12
         *       },
         *       "keys": {
         *         "Accessible": 41,
         *         "Suspect": 0,
         *         "Inaccessible": 1,
         *         "Unreachable": 0,
         *         "Unknown": 0,
         *         "isComplete": true,
         *         "countedAt": "2026-11-23T19:49:10.000Z",
         *         "oldestCheckAt": "2026-11-23T19:49:02.000Z"
         *       },
         *       "poisonedMessages": 0,
         *       "dailyPass": {
         *         "startedAt": "2026-11-23T19:30:00.000Z",
         *         "messages": 5064,
         *         "left": 2110,
         *         "expectedEndAt": "2026-11-23T20:02:42.000Z"
         *       },
         *       "passes": [
         *         {
         *           "name": "auditVerification",
         *           "startedAt": "2026-11-23T19:30:00.000Z",
         *           "done": 4100
         *         }
         *       ],
         *       "announcements": {
         *         "waiting": 0,
         *         "isComplete": true
         *       }
         *     }
         */
        Readiness: {
            /** @enum {string} */
            status: "ready" | "notReady";
            settings: {
                /** @enum {string} */
                status: "ok" | "failed";
                names: string[];
            };
            parts: {
                /** @enum {string} */
                name: "tables" | "queue" | "operatorVault" | "keyChecks" | "announcementTopic";
                /** @enum {string} */
                status: "ok" | "failed";
                durationMs: number;
                /** @enum {string} */
                cause?: "KeyDisabled" | "KeyNotFound" | "KeyPermissionDenied" | "KeyOperationNotAllowed" | "IdentityNotAuthorized" | "VaultNotFound" | "VaultFirewallDenied" | "VaultPrivateLinkDenied" | "NetworkPerimeterDenied" | "Throttled" | "VaultUnavailable" | "VaultTimeout" | "DnsFailure" | "ConnectionFailed" | "TlsFailure" | "IdentityUnavailable" | "UnknownResponse" | "TenantMismatch" | "VaultHostNotAllowed" | "KeyIdentifierMalformed" | "OwnerMismatch" | "KeyTypeUnsupported" | "KeySizeUnsupported" | "KeyExpired" | "KeyNotYetValid" | "SoftDeleteMissing" | "PurgeProtectionMissing" | "RegionMismatch" | "KeyMaterialMismatch" | "IdentityReplaced" | "StorageUnavailable" | "AnnouncementsLate" | "KeyChecksLate";
                meaning?: string;
            }[];
            sweep?: {
                /** Format: date-time */
                lastSweptAt: string;
                ageSeconds: number;
            };
            keys?: {
                Accessible: number;
                Suspect: number;
                Inaccessible: number;
                Unreachable: number;
                /** @description Keys that Keyward has not checked for too long. */
                Unknown: number;
                isComplete: boolean;
                /** Format: date-time */
                countedAt: string;
                /** Format: date-time */
                oldestCheckAt?: string;
            };
            poisonedMessages?: number;
            /** @description The poison queues that hold messages. */
            poisonQueues?: {
                queue: string;
                messages: number;
                meaning: string;
                remedy: string;
            }[];
            dailyPass?: {
                /** Format: date-time */
                startedAt: string;
                messages: number;
                left: number;
                /** Format: date-time */
                expectedEndAt?: string;
            };
            passes?: {
                /** @enum {string} */
                name: "auditVerification" | "ringRotation";
                /** @enum {string} */
                ring?: "system" | "at-rest" | "audit";
                /** Format: date-time */
                startedAt: string;
                done: number;
                of?: number;
                /** Format: date-time */
                expectedEndAt?: string;
            }[];
            announcements?: {
                waiting: number;
                isComplete: boolean;
                oldestAgeSeconds?: number;
            };
        };
        /**
         * @description OpenAPI 3.1: this document.
         * @example {
         *       "openapi": "3.1.1",
         *       "info": {},
         *       "paths": {}
         *     }
         */
        OpenApiDocument: {
            openapi: string;
            info: {
                [key: string]: unknown;
            };
            paths: {
                [key: string]: unknown;
            };
        } & {
            [key: string]: unknown;
        };
    };
    responses: {
        /** @description InvalidRequestContent, InvalidParameter, UnsupportedApiVersionValue, DataKeyNotAuthentic, DataKeyGenerationDestroyed, PropertyNotChangeable, KeyDisabled, KeyNotFound, KeyPermissionDenied, KeyOperationNotAllowed, IdentityNotAuthorized, VaultNotFound, VaultFirewallDenied, VaultPrivateLinkDenied, NetworkPerimeterDenied, TenantMismatch, VaultHostNotAllowed, KeyIdentifierMalformed, KeyTypeUnsupported, KeySizeUnsupported, KeyExpired, KeyNotYetValid, SoftDeleteMissing, PurgeProtectionMissing, RegionMismatch. */
        Error400: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description AuthenticationFailed. With function keys, the Functions host answers without a body. */
        Error401: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description AuthorizationFailed, CustomerKeyInaccessible, OwnerMismatch. */
        Error403: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description AccountNotFound, NotFound, InvalidResourceType. */
        Error404: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description AccountPendingDeletion, Conflict. */
        Error409: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description PreconditionFailed. */
        Error412: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description RequestTooLarge. */
        Error413: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description UnsupportedMediaType. */
        Error415: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description TooManyRequests. */
        Error429: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                "Retry-After": components["headers"]["RetryAfter"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description InternalError, StorageRejected, StateDamaged, KeyMaterialMismatch. */
        Error500: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description CustomerKeyUnreachable, ServiceUnavailable, Throttled, VaultUnavailable, VaultTimeout, DnsFailure, ConnectionFailed, TlsFailure, IdentityUnavailable, UnknownResponse, IdentityReplaced, StorageUnavailable. */
        Error503: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                "Retry-After": components["headers"]["RetryAfter"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
        /** @description Any other error, in the same form. */
        Error: {
            headers: {
                "x-ms-request-id": components["headers"]["RequestId"];
                "x-ms-version": components["headers"]["x-ms-version"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorAnswer"];
            };
        };
    };
    parameters: {
        /** @description The version of the API. Without it, the call gets the newest version. */
        ApiVersion: "2026-11-28";
        /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
        IfMatch: string;
        /** @description Creates, and never replaces. Keyward answers 412 when the resource exists. */
        IfNoneMatch: "*";
    };
    requestBodies: never;
    headers: {
        /** @description The id to name when you report an error. */
        RequestId: string;
        /** @description The version of the API that answered. Absent where a call has no `api-version`. */
        "x-ms-version": "2026-11-28";
        /** @description Seconds. */
        RetryAfter: string;
        /** @description Changes with every write. */
        ETag: string;
        /** @description The address that shows the progress. */
        Location: string;
        /** @description How long the answer may be stored: not at all, or a minute for public keys. */
        "Cache-Control": "no-store" | "public, max-age=60";
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    accountsList: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    accountsGet: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            /** @description Done, without a body. */
            304: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    accountsPut: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
                /** @description Creates, and never replaces. Keyward answers 412 when the resource exists. */
                "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            /** @description Done. */
            201: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    accountsDelete: {
        parameters: {
            query?: {
                now?: "true" | "false";
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, without a body. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Done. */
            202: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            /** @description Done, without a body. */
            204: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    accountsPatch: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    accountsRecover: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorRotateAccountKey: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            202: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    accountsValidateEncryption: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EncryptionDryRun"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EncryptionValidation"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorValidateAccount: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountDryRun"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EncryptionValidation"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorValidateKey: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KeyDryRun"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EncryptionValidation"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    contentKeysList: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ContentKeyList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    contentKeysGet: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ContentKey"];
                };
            };
            /** @description Done, without a body. */
            304: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    contentKeysPut: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
                /** @description Creates, and never replaces. Keyward answers 412 when the resource exists. */
                "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            path: {
                accountName: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ContentKeyInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ContentKey"];
                };
            };
            /** @description Done. */
            201: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ContentKey"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    contentKeysDelete: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                accountName: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, without a body. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Done, without a body. */
            204: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    contentKeysReveal: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevealedContentKey"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    contentKeysRevealPage: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevealedContentKeyList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    jobInputsList: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobInputList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    jobInputsGet: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobInput"];
                };
            };
            /** @description Done, without a body. */
            304: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    jobInputsPut: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
                /** @description Creates, and never replaces. Keyward answers 412 when the resource exists. */
                "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["JobInputInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobInput"];
                };
            };
            /** @description Done. */
            201: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobInput"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    jobInputsDelete: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, without a body. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Done, without a body. */
            204: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    jobInputsReveal: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevealedJobInput"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    jobInputsRevealPage: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevealedJobInputList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    jobInputsResolve: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResolvedJobInput"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    tokenKeysList: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenKeyList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    tokenKeysGet: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenKey"];
                };
            };
            /** @description Done, without a body. */
            304: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    tokenKeysPut: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
                /** @description Creates, and never replaces. Keyward answers 412 when the resource exists. */
                "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenKeyInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenKey"];
                };
            };
            /** @description Done. */
            201: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenKey"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    tokenKeysDelete: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: {
                /** @description The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, without a body. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Done, without a body. */
            204: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            412: components["responses"]["Error412"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    tokenKeysReveal: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevealedTokenKey"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    tokenKeysRevealPage: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevealedTokenKeyList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    dataKeysGenerate: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DataKeysInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GeneratedDataKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    dataKeysGenerateWithoutPlaintext: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DataKeysInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WrappedDataKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    dataKeysWrap: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PlainDataKeys"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WrappedOwnDataKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    dataKeysUnwrap: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WrappedDataKeysInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UnwrappedDataKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    dataKeysRewrap: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WrappedDataKeysInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RewrappedDataKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    keyStatus: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyStatusAnswer"];
                };
            };
            /** @description Done, without a body. */
            304: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    keyStatusJwks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyStatusKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorDataKeyUsage: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataKeyUsage"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorDestroyDataKeyGeneration: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
                generation: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DestroyInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataKeyUsage"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorRepairIdentity: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["IdentityRepair"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    ETag: components["headers"]["ETag"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorClaimsGet: {
        parameters: {
            query: {
                kind: "vault" | "tenant" | "userAssignedIdentity";
                value: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Claim"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorClaimsRelease: {
        parameters: {
            query: {
                kind: "vault" | "tenant" | "userAssignedIdentity";
                value: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Claim"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorLinksList: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                owner: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CustomerLinkList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorLinksCreate: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                owner: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CustomerLinkInput"];
            };
        };
        responses: {
            /** @description Done. */
            201: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedCustomerLink"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorLinksRevoke: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                owner: string;
                linkId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, without a body. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Done, without a body. */
            204: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    customerKeys: {
        parameters: {
            query?: {
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CustomerKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    customerReceipts: {
        parameters: {
            query?: {
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CustomerReceipts"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    customerDryRun: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CustomerDryRun"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EncryptionValidation"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    customerPlan: {
        parameters: {
            query: {
                keyIdentifier: string;
                location?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectionPlan"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    customerWhatIf: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CustomerWhatIf"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CustomerForecast"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            429: components["responses"]["Error429"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorDrills: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrillList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorIdentities: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OwnIdentityList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorConfirmDenials: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DenialConfirmation"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OwnIdentityList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorLooks: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountOrKey"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Looks"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorKeyUsage: {
        parameters: {
            query: {
                keyIdentifier: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyUsage"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorKeyAccounts: {
        parameters: {
            query: {
                keyIdentifier: string;
                version: string;
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyHolderList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorRewraps: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountOrKey"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            /** @description Done, without a body. */
            202: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    Location: components["headers"]["Location"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorRings: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RingList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorRotateRing: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                ring: "system" | "at-rest" | "audit";
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            202: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ring"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAccounts: {
        parameters: {
            query?: {
                state?: "Enabled" | "CustomerKeyInaccessible" | "PendingDeletion";
                owner?: string;
                status?: "Accessible" | "Suspect" | "Inaccessible" | "Unreachable" | "Unknown";
                cause?: components["schemas"]["Cause"];
                served?: "yes" | "untilLeaseEnd" | "no";
                key?: string;
                name?: string;
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OverviewAccountList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorKeys: {
        parameters: {
            query?: {
                owner?: string;
                status?: "Accessible" | "Suspect" | "Inaccessible" | "Unreachable" | "Unknown";
                cause?: components["schemas"]["Cause"];
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OverviewKeyList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorOwner: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                owner: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OverviewOwner"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorTimeline: {
        parameters: {
            query?: {
                from?: string;
                to?: string;
                order?: "newest" | "oldest";
                owner?: string;
                account?: string;
                key?: string;
                type?: "AccountCreated" | "AccountUpdated" | "AccountKeyChanged" | "AccountKeyRewrapped" | "AccountKeyRotated" | "IdentityRepaired" | "AccountKeyResealed" | "OlderAccountKeysRetiring" | "OlderAccountKeysDestroyed" | "AccountDeletionScheduled" | "AccountRecovered" | "AccountDeleted" | "SecretWritten" | "SecretDeleted" | "SecretsRevealed" | "JobInputResolved" | "KeyUsed" | "DataKeysUsed" | "DataKeyGenerationCreated" | "DataKeyGenerationDestroyed" | "SecretIntegrityFailed" | "CallRefused" | "ChangeDeferred" | "CustomerKeyInaccessible" | "CustomerKeyRestored" | "WatchCreated" | "WatchRestored" | "VerdictChanged" | "KeyNearExpiry" | "KeyExpired" | "IdentityUnavailable" | "IdentityAvailable" | "KeyNotReadable" | "KeyReadable" | "NewVersionFound" | "NewVersionUnusable" | "RotationStarted" | "RotationCompleted" | "ClaimReleased" | "RingRewrapped" | "RingRestored" | "RingGenerationCreated" | "RingGenerationActivated" | "RingGenerationRetiring" | "RingGenerationDestroyed" | "StateDamaged" | "IdentityReplaced" | "DenialsConfirmed" | "LinkCreated" | "LinkRevoked" | "LinkUsed" | "AuditErased";
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Timeline"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAccountAudit: {
        parameters: {
            query?: {
                accountId?: string;
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEntryList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAccountAuditVerify: {
        parameters: {
            query?: {
                accountId?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AuditVerificationInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditVerification"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAccountInstances: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountInstanceList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorBindings: {
        parameters: {
            query: {
                keyIdentifier: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyBindingList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorBindingAudit: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                bindingId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEntryList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorBindingAuditVerify: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                bindingId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AuditVerificationInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditVerification"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAudit: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEntryList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAuditVerify: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AuditVerificationInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditVerification"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAuditErase: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AuditErasureInput"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditErasure"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAuditVerification: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditVerificationState"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorAuditCheckpoints: {
        parameters: {
            query?: {
                $top?: number;
                $skipToken?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditCheckpointList"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    operatorRevocationReceipts: {
        parameters: {
            query?: {
                accountId?: string;
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path: {
                accountName: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevocationReceipts"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    auditJwks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyStatusKeys"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    eventsReceive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Delivery"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookValidation"];
                };
            };
            /** @description Done, without a body. */
            202: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            413: components["responses"]["Error413"];
            415: components["responses"]["Error415"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    eventsHandshake: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, without a body. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    healthLive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alive"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
    healthReady: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "Cache-Control": components["headers"]["Cache-Control"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            /** @description CustomerKeyUnreachable, ServiceUnavailable, Throttled, VaultUnavailable, VaultTimeout, DnsFailure, ConnectionFailed, TlsFailure, IdentityUnavailable, UnknownResponse, IdentityReplaced, StorageUnavailable. */
            503: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    "Retry-After": components["headers"]["RetryAfter"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"] | components["schemas"]["ErrorAnswer"];
                };
            };
            default: components["responses"]["Error"];
        };
    };
    openApi: {
        parameters: {
            query?: {
                /** @description The version of the API. Without it, the call gets the newest version. */
                "api-version"?: components["parameters"]["ApiVersion"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    "x-ms-request-id": components["headers"]["RequestId"];
                    "x-ms-version": components["headers"]["x-ms-version"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenApiDocument"];
                };
            };
            400: components["responses"]["Error400"];
            401: components["responses"]["Error401"];
            403: components["responses"]["Error403"];
            404: components["responses"]["Error404"];
            409: components["responses"]["Error409"];
            500: components["responses"]["Error500"];
            503: components["responses"]["Error503"];
            default: components["responses"]["Error"];
        };
    };
}
