// What an application does, with Go's azure-sdk-for-go, package mediaservices 2021-11-01. Prints one JSON object: call
// and result.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	media "github.com/Azure/azure-sdk-for-go/services/mediaservices/mgmt/2021-11-01/media"
	"github.com/Azure/azure-sdk-for-go/version"
	"github.com/Azure/go-autorest/autorest"
	"github.com/Azure/go-autorest/autorest/azure/auth"
)

const (
	group   = "media"
	account = "gofilms"
	key     = "https://contoso-keys.vault.azure.net/keys/media"
	secret  = "a token validation key"
)

func text(value string) *string { return &value }

func check(holds bool, seen interface{}) error {
	if holds {
		return nil
	}
	return fmt.Errorf("unexpected: %v", seen)
}

func main() {
	ctx := context.Background()
	authorizer, err := auth.NewAuthorizerFromEnvironment()
	if err != nil {
		panic(err)
	}
	subscription := os.Getenv("AZURE_SUBSCRIPTION_ID")
	accounts := media.NewMediaservicesClient(subscription)
	locators := media.NewStreamingLocatorsClient(subscription)
	policies := media.NewContentKeyPoliciesClient(subscription)
	transforms := media.NewTransformsClient(subscription)
	jobs := media.NewJobsClient(subscription)
	clients := []*autorest.Client{&accounts.Client, &locators.Client, &policies.Client, &transforms.Client, &jobs.Client}
	for _, client := range clients {
		client.Authorizer = authorizer
		client.RetryAttempts = 1
	}

	setKey := func(identifier string) (media.Service, error) {
		system := true
		return accounts.Update(ctx, group, account, media.ServiceUpdate{ServiceProperties: &media.ServiceProperties{
			Encryption: &media.AccountEncryption{
				Type:               media.AccountEncryptionKeyTypeCustomerKey,
				KeyVaultProperties: &media.KeyVaultProperties{KeyIdentifier: text(identifier)},
				Identity:           &media.ResourceIdentity{UseSystemAssignedIdentity: &system},
			},
		}})
	}
	keyOf := func(options *[]media.ContentKeyPolicyOption) *[]byte {
		restriction, _ := (*options)[0].Restriction.AsContentKeyPolicyTokenRestriction()
		token, _ := restriction.PrimaryVerificationKey.AsContentKeyPolicySymmetricTokenKey()
		return token.KeyValue
	}

	calls := []struct {
		name string
		run  func() error
	}{
		{"accounts", func() error {
			if _, err := accounts.CreateOrUpdate(ctx, group, account, media.Service{Location: text("westeurope")}); err != nil {
				return err
			}
			page, err := accounts.List(ctx, group)
			if err != nil {
				return err
			}
			return check(len(page.Values()) > 0, page.Values())
		}},
		{"customer_key", func() error {
			changed, err := setKey(key)
			if err != nil {
				return err
			}
			current := *changed.Encryption.KeyVaultProperties.CurrentKeyIdentifier
			return check(strings.HasPrefix(current, key+"/"), current)
		}},
		{"refused_key", func() error {
			_, err := setKey(key + "-missing")
			return check(err != nil && strings.Contains(err.Error(), "KeyNotFound"), err)
		}},
		{"content_keys", func() error {
			made, err := locators.Create(ctx, group, account, "trailer", media.StreamingLocator{
				StreamingLocatorProperties: &media.StreamingLocatorProperties{
					AssetName: text("trailer"), StreamingPolicyName: text("Predefined_ClearKey"),
				},
			})
			if err != nil {
				return err
			}
			if (*made.ContentKeys)[0].Value != nil {
				return fmt.Errorf("a plain answer has the value")
			}
			keys, err := locators.ListContentKeys(ctx, group, account, "trailer")
			if err != nil {
				return err
			}
			return check(len(*(*keys.ContentKeys)[0].Value) == 24, "length")
		}},
		{"token_keys", func() error {
			value := []byte(secret)
			options := []media.ContentKeyPolicyOption{{
				Configuration: media.ContentKeyPolicyClearKeyConfiguration{},
				Restriction: media.ContentKeyPolicyTokenRestriction{
					Issuer: text("issuer"), Audience: text("audience"),
					RestrictionTokenType:   media.ContentKeyPolicyRestrictionTokenTypeJwt,
					PrimaryVerificationKey: media.ContentKeyPolicySymmetricTokenKey{KeyValue: &value},
				},
			}}
			properties := media.ContentKeyPolicy{ContentKeyPolicyProperties: &media.ContentKeyPolicyProperties{Options: &options}}
			if _, err := policies.CreateOrUpdate(ctx, group, account, "tokens", properties); err != nil {
				return err
			}
			plain, err := policies.Get(ctx, group, account, "tokens")
			if err != nil {
				return err
			}
			if keyOf(plain.Options) != nil {
				return fmt.Errorf("a plain answer has the value")
			}
			with, err := policies.GetPolicyPropertiesWithSecrets(ctx, group, account, "tokens")
			if err != nil {
				return err
			}
			return check(string(*keyOf(with.Options)) == secret, "value")
		}},
		{"job_inputs", func() error {
			outputs := []media.TransformOutput{{Preset: media.BuiltInStandardEncoderPreset{PresetName: media.EncoderNamedPresetAdaptiveStreaming}}}
			transform := media.Transform{TransformProperties: &media.TransformProperties{Outputs: &outputs}}
			if _, err := transforms.CreateOrUpdate(ctx, group, account, "encode", transform); err != nil {
				return err
			}
			files := []string{"a.mp4?sig=secret"}
			results := []media.BasicJobOutput{media.JobOutputAsset{AssetName: text("output")}}
			job := media.Job{JobProperties: &media.JobProperties{
				Input:   media.JobInputHTTP{BaseURI: text("https://media.example/"), Files: &files},
				Outputs: &results,
			}}
			if _, err := jobs.Create(ctx, group, account, "encode", "first", job); err != nil {
				return err
			}
			seen, err := jobs.Get(ctx, group, account, "encode", "first")
			if err != nil {
				return err
			}
			input, _ := seen.Input.AsJobInputHTTP()
			if (*input.Files)[0] != "a.mp4" {
				return fmt.Errorf("files %v", *input.Files)
			}
			_, err = jobs.CancelJob(ctx, group, account, "encode", "first")
			return err
		}},
		{"delete", func() error {
			_, err := accounts.Delete(ctx, group, account)
			return err
		}},
	}
	seen := map[string]string{}
	for _, call := range calls {
		seen[call.name] = "yes"
		if err := call.run(); err != nil {
			seen[call.name] = fmt.Sprintf("%.200s", strings.ReplaceAll(err.Error(), "\n", " "))
		}
	}
	answer, _ := json.Marshal(map[string]interface{}{
		"client": "Go azure-sdk-for-go " + version.Number + ", mediaservices 2021-11-01", "results": seen,
	})
	fmt.Println(string(answer))
}
